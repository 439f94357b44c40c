"""The options that say how a foreign trainer is started, shared by the commands that start one."""

from __future__ import annotations

from typing import Annotated

import typer

from speedcheck.cli.common import whole_number

GpusOption = Annotated[
    int | None,
    typer.Option(
        help="GPUs of a script's run, a process of torchrun each; 0 for plain Python on the CPU.  "
        "[default: all GPUs]",
        parser=whole_number,
        metavar="N",
        show_default=False,
    ),
]
RanksOption = Annotated[
    int | None,
    typer.Option(
        help="Processes of torchrun on the CPU, for a script.",
        parser=whole_number,
        metavar="N",
        show_default=False,
    ),
]
SeedEnvOption = Annotated[
    str | None,
    typer.Option(
        help="Environment variable that gives a script its seed.",
        metavar="NAME",
        show_default=False,
    ),
]
SeedArgOption = Annotated[
    str | None,
    typer.Option(
        help="Option that gives a script its seed, such as --seed.",
        metavar="FLAG",
        show_default=False,
    ),
]
