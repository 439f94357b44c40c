"""Draw what commands print in a terminal, as SVG: docs/images/*.svg.

    python docs/capture.py

Layout and colours are the program's own: it runs with colours on, and rich draws what it prints.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from refresh import ROOT, run, scratch
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from speedcheck.logs import read_log
from speedcheck.run.campaign.follow import LogFollower
from speedcheck.run.progress.live_display import LiveDisplay
from speedcheck.run.progress.outlook import Pace
from speedcheck.run.progress.plain_display import Tally

IMAGES = ROOT / "docs" / "images"
COLUMNS = 84
# Fonts differ in width; the last letters of a full line still fit.
_MARGIN = 2
_COLORED = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}

_BLACK, _WHITE = (27, 31, 36), (222, 226, 230)
_RED, _GREEN, _YELLOW = (248, 113, 113), (74, 222, 128), (250, 204, 21)
_BLUE, _MAGENTA, _CYAN = (96, 165, 250), (192, 132, 252), (103, 232, 249)
_THEME = TerminalTheme(
    _BLACK, _WHITE, [_BLACK, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _WHITE]
)

# rich's own format loads a font from the network, which an image in a README cannot reach.
_FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; \
line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


@dataclass(frozen=True, slots=True)
class Capture:
    """A picture: the command that it shows, and what happens to the records before.

    With `replay`, the command is not run: it trains for minutes. The program's display is shown as
    it is in the middle of the campaign, by the logs of the record that the campaign left.
    """

    command: str
    before: str = ""
    replay: bool = False


RECORD = ROOT / "records/2026-11-21_tiny"
# So many runs have ended; the next two are under way, at these steps.
_ENDED, _UNDER_WAY = 6, (150, 90)

CAPTURES = {
    "run": Capture("speedcheck run --recipe tiny --seeds 32", replay=True),
    "refused": Capture(
        "speedcheck verify records/2026-11-21_tiny",
        before="rm records/2026-11-21_tiny/logs/seed-024.txt",
    ),
}


def printed_by(capture: Capture, *, colored: bool) -> str:
    """Return what a capture shows, with colours as ANSI codes or as plain text."""
    if capture.replay:
        return replayed(colored=colored)
    environment = _COLORED if colored else {"COLUMNS": str(COLUMNS)}
    with scratch() as place:
        run(capture.before, place)
        return "\n".join(run(capture.command, place, environment))


def replayed(*, colored: bool) -> str:
    """Return the display of `speedcheck run` in the middle of the bundled record's campaign."""
    out = io.StringIO()
    console = Console(
        width=COLUMNS,
        file=out,
        force_terminal=colored,
        color_system="standard" if colored else None,
    )
    clock = [0.0]
    display = LiveDisplay(
        console, Tally(32, 1.3), Pace(32, lambda: clock[0]), RECORD / "logs", runs=32, steps=200
    )
    logs = [RECORD / "logs" / f"seed-{seed:03d}.txt" for seed in range(_ENDED + len(_UNDER_WAY))]
    runs = [read_log(log, log.parent).runs[0] for log in logs]
    for seed, log in enumerate(logs[:_ENDED]):
        display.started(seed, log)
        clock[0] += (runs[seed].train_time_ms or 0.0) / 1000
        display.finished(seed, runs[seed])
    for seed, log in enumerate(logs[_ENDED:], start=_ENDED):
        display.started(seed, log)
    for seed, step in enumerate(_UNDER_WAY, start=_ENDED):
        lines = (line for line in LogFollower(logs[seed]).new() if line.step == step)
        for line in lines:
            display.progressed(seed, line)
    console.print(display)
    return out.getvalue()


def svg(name: str) -> str:
    """Return the picture of the capture `name`."""
    capture = CAPTURES[name]
    printed = printed_by(capture, colored=True)
    console = Console(record=True, width=COLUMNS + _MARGIN, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(printed))
    drawn = console.export_svg(
        title=capture.command, theme=_THEME, code_format=_FORMAT, unique_id=name
    )
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    for name in CAPTURES:
        (IMAGES / f"{name}.svg").write_text(svg(name), encoding="utf-8")


if __name__ == "__main__":
    main()
