"""What people read: the terminal, the README and the tables.

The golden files hold what `speedcheck` prints at 80 columns. After a change that is meant, write
them anew and read the difference:

    WRITE_GOLDEN=1 python -m pytest tests/speedcheck/test_reports.py; git diff tests
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from speedcheck.api import verify
from speedcheck.records.record_folder import read_record
from speedcheck.report.record_readme import readme
from speedcheck.report.table import runs_table
from speedcheck.report.terminal import print_certificate
from speedcheck.report.wording import printable, two_digits

GOLDEN = Path(__file__).with_name("golden")
RECORDS = Path(__file__).parents[3] / "records"
NAN = float("nan")
HOSTILE = "[bold]a[/x]:smile:\x1b[31m\x07\n\r|`\u202e.txt"


def mixed(build, published_log_text):
    """A submission with a run that counts oddly, one cut, a copy, a link and a binary file."""
    folder = build.published([3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779, 3.2781, 3.25])
    (folder / "08.txt").write_text(published_log_text(val_loss=3.2768, last_step=1250))
    (folder / "09-a-name-longer-than-the-column.txt").write_bytes((folder / "00.txt").read_bytes())
    (folder / "10.txt").symlink_to("00.txt")
    (folder / "model.pt").write_bytes(b"PK\x03\x04\x00")
    (folder / "README.md").write_text("p=0.0001")
    return folder


SHOWN = {
    "published.txt": lambda build, log: build.published(),
    "mixed.txt": mixed,
    "refused.txt": lambda build, log: build.record(
        [9.1, 9.2, 9.3], endings={1: ("started", "failed")}, plan={"track": "gpt2-small"}
    ),
    "diverged.txt": lambda build, log: build.published([3.2777, NAN]),
    "one-run.txt": lambda build, log: build.published([3.2777]),
    "sub-3.txt": lambda build, log: RECORDS / "sub-3-minute-record",
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_terminal_report_is_the_golden_one(build, cli, published_log_text, name):
    result = cli("verify", SHOWN[name](build, published_log_text))
    shown = result.out.replace(f"{build.path}/", "")
    text = "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    # The last digits of a float may differ between machines; other tests look at those.
    text = re.sub(r"(\d\.\d{12})\d+", r"\1...", text)
    path = GOLDEN / name
    if "WRITE_GOLDEN" in os.environ:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHOWN)
def test_no_line_of_the_report_is_wider_than_80_columns(build, cli, published_log_text, name):
    result = cli("verify", SHOWN[name](build, published_log_text))
    # A command to copy stays whole.
    lines = (line for line in result.out.splitlines() if not line.startswith("      speedcheck "))
    assert max(map(cell_len, lines)) <= 80


def test_long_and_wide_names_do_not_widen_the_report(build, cli, published_log_text):
    folder = build.published()
    (folder / f"{'long-' * 40}.txt").write_text(published_log_text(val_loss=3.2775, time_ms=1))
    (folder / f"{'寬' * 60}.txt").write_text(published_log_text(val_loss=3.2776, time_ms=2))
    (folder / "record.toml").write_text(f'name = "{"very " * 60}"')
    result = cli("verify", folder)
    assert result.code == 0
    assert max(map(cell_len, result.out.splitlines())) <= 80


def test_colour_is_for_terminals_only_and_changes_no_letter(build):
    certificate = verify(build.record())
    texts = []
    for colours in ("standard", None):
        file = io.StringIO()
        print_certificate(
            Console(file=file, color_system=colours, width=80, highlight=False), certificate
        )
        texts.append(file.getvalue())
    coloured, plain = texts
    assert "\x1b" not in plain
    assert "\x1b[1;32mCERTIFIED" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_names_of_strangers_are_shown_as_text(build, cli, published_log_text):
    folder = build.published(name="sub[bold]mission")
    # A name on disk cannot hold a slash.
    name = HOSTILE.replace("/", "")
    (folder / name).write_text(published_log_text(val_loss=3.2775, last_step=1000))
    (folder / "[link].txt").symlink_to("\x1b[2J")
    for command in ("verify", "table"):
        result = cli(command, folder)
        assert result.err == ""
        assert set(result.out) - {"\n"} == {c for c in result.out if c.isprintable()}
        assert "[bold]a[x]:smile:\\x1b" in "".join(result.out.split("\n"))
    assert "[link].txt" in cli("verify", folder).out


def test_texts_of_a_strangers_plan_ledger_and_log_are_shown_as_text(build, cli, ledger_bytes):
    hostile = HOSTILE.encode().decode()
    folder = build.record(plan={"name": hostile, "recipe": hostile})
    failed = {"event": "failed", "seed": 8, "reason": hostile + "\ud800"}
    (folder / "ledger.jsonl").write_bytes(ledger_bytes([{"event": "planned", "seed": 8}, failed]))
    log = folder / "logs" / "seed-000.txt"
    log.write_text(log.read_text().replace("PyTorch 2.13.0", "PyTorch 2.13.0\x1b[31m[/x]"))
    result = cli("verify", folder)
    assert (result.code, result.err) == (1, "")
    assert set(result.out) - {"\n"} == {c for c in result.out if c.isprintable()}
    assert "[bold]a[/x]:smile:\\x1b[31m\\x07\\n\\r|`\\u202e.txt" in "".join(result.out.split("\n"))


def test_numbers_too_large_for_a_table_are_said_and_left_out(build, cli, log_text):
    text = log_text(seed=10**30, gpus=("H100",)).replace('"ranks": 1', f'"ranks": {10**30}')
    folder = build.folder({"a.txt": text})
    for words in (["verify"], ["verify", "--json"], ["table"], ["table", "--csv"]):
        result = cli(*words, folder)
        assert result.err == ""
    assert "header key 'seed' is not an integer" in cli("verify", folder).out


@pytest.mark.parametrize("arguments", ["verify", "table --csv"])
def test_a_file_name_that_is_no_text_is_shown_all_the_same(
    build, published_log_text, monkeypatch, arguments
):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    folder = build.published()
    name = os.fsdecode(b"caf\xe9.txt")
    (folder / name).write_text(published_log_text(val_loss=3.2775, time_ms=1))
    done = subprocess.run(
        [sys.executable, "-m", "speedcheck", *arguments.split(), folder],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"caf" in done.stdout


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, naïve, 寬", "plain text, naïve, 寬"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\tb\nc\x00", "a\\tb\\nc\\x00"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_made_visible(text, shown):
    assert printable(text) == shown


def evidence_of(text):
    """Give the shell line of a README and the lines that stand below it."""
    block = text.split("```bash\n")[1].split("\n```")[0]
    command, *lines = block.splitlines()
    assert command.startswith("$ ")
    return command.removeprefix("$ "), lines


@pytest.fixture
def python_of_these_tests(tmp_path, monkeypatch):
    """Let `python` in a shell be the Python that runs the tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("n", [2, 8])
@pytest.mark.usefixtures("python_of_these_tests")
def test_the_shell_line_of_the_readme_prints_the_lines_below_it(build, losses, n):
    # The embedded program of these logs has no line that the shell line would take for a result.
    folder = build.record(losses[:n], program="# file: trainer/train.py\nimport os\n")
    text = readme(verify(folder), read_record(folder), "speedcheck run --recipe tiny")
    command, lines = evidence_of(text)
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == lines
    assert len(lines) == 4


@pytest.mark.parametrize("losses", [[1.5], [1.5, 1.5], [9.0, 9.1]])
def test_a_readme_claims_no_more_than_was_shown(build, losses):
    folder = build.record(losses)
    certificate = verify(folder)
    text = readme(certificate, read_record(folder), "speedcheck run")
    assert "**NOT CERTIFIED: " in text
    assert ("p=" in text) == (certificate.loss.p_value is not None)
    assert all(f"| {loss} |" in text for loss in losses)


def test_the_readme_of_runs_that_all_diverged_has_neither_a_test_nor_a_time(build):
    folder = build.record(diverges_at=200)
    text = readme(verify(folder), read_record(folder), "speedcheck run")
    assert "**NOT CERTIFIED: the loss is not a finite number" in text
    assert "runtime" not in text
    assert "p=" not in text


def test_the_readme_lists_each_run_and_says_which_do_not_count(build, log_text):
    logs = {1: log_text(seed=1, last_step=150), 2: log_text(seed=2, diverges_at=200)}
    folder = build.record(logs=logs, endings={1: ("started", "failed")})
    text = readme(verify(folder), read_record(folder), "speedcheck run --seeds 8")
    rows = [line for line in text.splitlines() if "seed-00" in line]
    assert len(rows) == 8
    assert "not counted: crashed: the ledger says failed" in rows[1]
    assert "| 2 | not finite |" in rows[2]
    assert "$ speedcheck run --seeds 8" in text
    assert "Recipe tiny; PyTorch 2.13.0+cpu; no GPU; commit 4b825dc642cb" in text


def test_the_table_as_csv_is_read_back_by_pandas_to_the_same_values(build, cli, log_text):
    logs = {1: log_text(seed=1, last_step=150), 2: log_text(seed=2, diverges_at=200)}
    folder = build.record(logs=logs, plan={"name": 'a "name", with\nodd characters'})
    published = build.published()
    result = cli("table", "--csv", folder, published)
    expected = runs_table([verify(folder), verify(published)])
    read = pd.read_csv(
        io.StringIO(result.out),
        dtype=expected.dtypes.to_dict(),
        keep_default_na=False,
        na_values={column: [""] for column in expected.columns if column != "reason"},
    )
    pd.testing.assert_frame_equal(read, expected)
    assert len(read) == 14
    assert result.code == 0


def test_a_published_record_has_a_row_for_each_loss_and_no_log(cli):
    result = cli("table", "--csv", RECORDS / "long-short-swa")
    table = pd.read_csv(io.StringIO(result.out))
    assert list(table["val_loss"]) == [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2778]
    assert table["log"].isna().all()


def test_a_record_without_a_run_has_an_empty_table(build, cli):
    folder = build.folder({"record.toml": ""})
    assert cli("table", folder).out == "no runs\n"
    assert cli("table", "--csv", folder).out.startswith("record,log,run,seed,val_loss,")


def test_the_table_on_a_terminal_shows_every_run_and_a_dash_for_what_is_not_known(build, cli):
    result = cli("table", build.published())
    header, *rows = result.out.splitlines()
    assert header.split() == ["log", "seed", "val_loss", "time", "[s]", "step", "counted"]
    assert [row.split()[0] for row in rows] == [f"{index:02d}.txt" for index in range(6)]
    assert {row.split()[1] for row in rows} == {"-"}
    assert rows[0].split()[2:] == ["3.2777", "179.800", "1393/1393", "yes"]


def test_the_table_of_several_records_names_the_record(build, cli):
    first, second = build.published(name="first"), build.published(name="second")
    header, *rows = cli("table", first, second).out.splitlines()
    assert header.split()[0] == "record"
    assert {row.split()[0] for row in rows} == {"first", "second"}


def test_runs_of_one_file_are_told_apart_however_long_its_name_is(build, cli, published_log_text):
    text = "".join(published_log_text(val_loss=loss) for loss in (3.2771, 3.2772, 3.2773))
    out = cli("verify", build.folder({f"{'x' * 40}.txt": text})).out
    names = [line.split("  ")[0].strip() for line in out.splitlines() if line.startswith(" xxx")]
    assert [name[-2:] for name in names] == ["..", "#1", "#2"]


@pytest.mark.parametrize("columns", [20, 40, 60, 80])
def test_no_figure_and_no_name_is_cut_on_a_narrow_terminal(build, cli, monkeypatch, columns):
    folder = build.published([3.2777, 3.2795, 3.2784])
    long = "z" * 90
    (folder / f"{long}.txt").symlink_to("00.txt")
    assert cli("verify", folder).code == 1
    monkeypatch.setenv("COLUMNS", str(columns))
    out = cli("verify", folder).out
    assert "…" not in out
    assert max(map(cell_len, out.splitlines())) <= columns
    assert out.count("z") == 90
    if columns >= 60:
        assert {"3.2777", "179.800", "1393/1393"} <= set(out.split())


def test_lines_end_where_their_text_ends(build, cli):
    lines = cli("verify", build.published(), build.record()).out.splitlines()
    assert [line for line in lines if line.endswith(" ")] == []


def test_seeds_have_a_column_where_a_log_says_one(build, cli):
    assert "seed" not in cli("verify", build.published()).out
    assert "seed" in cli("verify", build.record()).out


def test_several_records_end_in_their_judgements_and_a_count(build, cli):
    good, bad = build.published(name="good"), build.published([3.29, 3.3], name="bad")
    out = cli("verify", good, bad, build.path / "none").out
    *_, judgements, count = out.split("\n\n")
    rows = [line for line in judgements.splitlines() if "CERTIFIED" in line]
    assert [row.split(" (")[0].split("  ")[0].strip() for row in rows] == [
        "CERTIFIED",
        "NOT CERTIFIED",
    ]
    assert ["good" in rows[0], "bad" in rows[1]] == [True, True]
    assert count == "1 of 2 records certified; 1 could not be judged, see the errors\n"
    assert "records certified" not in cli("verify", good).out


def test_records_of_one_name_are_told_apart_by_their_folders(build, cli, tmp_path):
    for parent in ("a", "b"):
        build.published(name=f"{parent}/runs")
    junit = tmp_path / "junit.xml"
    out = cli("verify", build.path, "--junit", junit).out
    body = cli("verify", build.path, "--markdown").out
    for folder in (build.path / "a/runs", build.path / "b/runs"):
        for text in (out, body, junit.read_text()):
            assert f"runs({folder})" in "".join(text.split())
    certificates = json.loads(cli("verify", build.path, "--json").out)
    assert [certificate["record"] for certificate in certificates] == ["runs", "runs"]


def test_what_is_found_in_many_files_is_said_once_with_the_first_of_them(build, cli, tmp_path):
    folder = build.published(gpu="NVIDIA L40S")
    junit = tmp_path / "junit.xml"
    out = cli("verify", folder, "--junit", junit).out
    where = "(00.txt, 01.txt, 02.txt and 3 more)"
    for text in (" ".join(out.split()), junit.read_text()):
        assert text.count("R001 wrong-hardware") == 1
        assert where in text
    body = cli("verify", folder, "--markdown").out
    assert body.count("R001 wrong-hardware") == 1
    assert "(`00.txt, 01.txt, 02.txt and 3 more`)" in body
    certificate = json.loads(cli("verify", folder, "--json").out)
    assert len(certificate["verdicts"]["rules"]["findings"]) >= 6
    annotations = cli("verify", folder, "--annotations").out
    assert annotations.count("title=R001") == 6, "an annotation stands at its file"


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ('kind = "systems"', "no baseline record was compared"),
        ("target = 4.0", "judged against 4 at alpha 0.01, and the track gpt2-small asks for 3.28"),
        ("name = 'x'", "on how many tokens"),
    ],
)
def test_the_last_line_names_what_stands_in_the_way(build, cli, plan, why):
    folder = build.published([3.2765, 3.277, 3.2775], script="import torch\n")
    (folder / "record.toml").write_text(plan)
    last = " ".join(cli("verify", folder).out.rpartition("\n\n")[2].split())
    # Rules that cannot be judged stand in nobody's way.
    assert (why in last) == (plan != "name = 'x'")
    assert last.startswith("CERTIFIED" if plan == "name = 'x'" else "NOT CERTIFIED")


def test_the_last_line_has_both_plot_data_of_a_claim_that_is_not_confirmed(
    build, cli, small_losses
):
    folder = build.published()
    wrong = [*small_losses[:-1], 3.2111]
    (folder / "README.md").write_text(f"```\nlosses = {wrong}\n```\n")
    last = " ".join(cli("verify", folder).out.rpartition("\n\n")[2].split())
    assert last.startswith("NOT CERTIFIED: 6 losses are claimed; the logs give")
    assert last.endswith("(README.md:2)")


def test_the_last_line_says_which_file_was_refused(build, cli):
    folder = build.published()
    (folder / "record.toml").symlink_to("/dev/null")
    last = cli("verify", folder).out.splitlines()[-1]
    assert last == "NOT CERTIFIED: is a link: links are not followed (record.toml)"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (11.0, "11"), (250.4, "2.5e+02"), (0.3, "0.30"), (99.6, "1.0e+02"), (None, "-")],
)
def test_a_spread_has_two_digits_no_point_at_its_end_and_no_zeros_behind_zero(value, shown):
    assert two_digits(value) == shown


@pytest.mark.parametrize("columns", [40, 50, 60])
def test_no_figure_of_a_run_is_broken_on_a_narrow_terminal(build, columns):
    shown = io.StringIO()
    folder = build.record()
    certificate = verify(folder)
    print_certificate(Console(file=shown, width=columns), certificate, folder)
    for run in certificate.runs:
        figures = ["seed-", f" {run.val_loss:g}", f" {run.train_time_ms / 1000:.3f}"]
        assert any(all(f in line for f in figures) for line in shown.getvalue().splitlines())


def test_names_of_logs_are_whole_where_there_is_room(build):
    folder = build.published(losses=(3.2777, 3.2779))
    name = f"{'0ab4a843-8c3a-4fb4-9f':x<60}.txt"
    (folder / "00.txt").rename(folder / name)
    texts = {}
    for width in (80, 200):
        shown = io.StringIO()
        print_certificate(Console(file=shown, width=width), verify(folder), folder)
        texts[width] = shown.getvalue()
    assert name in texts[200]
    assert f"{name[:21]}..." in texts[80]
