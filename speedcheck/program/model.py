"""What an embedded program says of the rules, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """A place where a program asks the compiler for something that is not its default.

    Attributes:
        name: what is set, such as "torch._inductor.config.coordinate_descent_tuning",
            "TORCHINDUCTOR_MAX_AUTOTUNE" or, among compile options, "mode".
        value: the value as the program writes it; "" where it does not stand there.
        line: number of the line in the program, from 1.
        certain: whether it surely is a change; False for a line that may be one and cannot be
            told, such as `exec(text)`.
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
    """What was read out of a program.

    Attributes:
        text: the program, with LF line ends.
        settings: changes of torch._inductor.config, torch._dynamo.config and TORCHINDUCTOR_*.
        compile_options: arguments of torch.compile beyond the model, dynamic=False and fullgraph.
        val_tokens: where the number of validation tokens is set; empty where it is not.
        problem: why nothing of this could be read; "" where it could. Bodies of functions that
            the rules are not about may still not be Python of this version.
    """

    text: str
    settings: tuple[Setting, ...] = ()
    compile_options: tuple[Setting, ...] = ()
    val_tokens: tuple[TokenCount, ...] = ()
    problem: str = ""
