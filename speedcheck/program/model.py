"""What an embedded program says about the rules, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass


class UnreadableProgramError(ValueError):
    """The text is not a program that can be parsed here; the message says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A place where a program asks the compiler for something that is not its default.

    Attributes:
        name: what is set, such as "torch._inductor.config.coordinate_descent_tuning",
            "TORCHINDUCTOR_MAX_AUTOTUNE" or, among compile options, "mode".
        value: the value as the program writes it; "" where the program does not write it there.
        line: number of the line in the program, from 1.
        certain: whether this certainly sets `name` to `value`. False for a place that may set up
            the compiler in a way that cannot be known, such as `exec(text)`.
    """

    name: str
    value: str
    line: int
    certain: bool = True

    def __str__(self) -> str:
        return f"{self.name} = {self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A place where the number of validation tokens is set.

    Attributes:
        value: the number; None where it cannot be computed from constants.
        line: number of the line in the program, from 1.
    """

    value: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Program:
    """What was read from a program.

    Attributes:
        text: the program, with LF line ends.
        settings: changes of torch._inductor.config, torch._dynamo.config and TORCHINDUCTOR_*.
        compile_options: arguments of torch.compile beyond the model, dynamic=False and fullgraph.
        val_tokens: where the number of validation tokens is set; empty where it is not.
        n_names: number of places at which a name stands or is bound. Programs of the same code have
            the same number.
        problem: why nothing could be read; "" where it could.
    """

    text: str
    settings: tuple[Setting, ...] = ()
    compile_options: tuple[Setting, ...] = ()
    val_tokens: tuple[TokenCount, ...] = ()
    n_names: int = 0
    problem: str = ""
