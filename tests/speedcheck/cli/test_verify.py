"""The command line: options, exit codes, and one line for whatever is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.stats

import speedcheck
from speedcheck.cli import main
from speedcheck.errors import UsageError
from speedcheck.report.json import certificates_json
from speedcheck.rules.tracks import TINY

ROOT = Path(__file__).parents[3]
DEV_SET = ROOT.parent / "shared" / "logs"


def test_a_certified_record_exits_with_0_and_a_refused_one_with_1(build, cli):
    certified, refused = build.record(name="good"), build.record([9.1, 9.2], name="bad")
    assert cli("verify", certified).code == 0
    assert cli("verify", refused).code == 1
    assert cli("verify", certified, refused).code == 1
    assert cli("verify", certified, certified).code == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ("tiny", TINY.target, 0.01)),
        (("--target", "1.7"), ("tiny", 1.7, 0.01)),
        (("--alpha", "0.05"), ("tiny", TINY.target, 0.05)),
        (("--track", "gpt2-medium"), ("gpt2-medium", 2.92, 0.01)),
        (
            ("--track", "gpt2-small", "--target", "2e0", "--alpha", ".001"),
            ("gpt2-small", 2.0, 0.001),
        ),
    ],
)
def test_each_option_reaches_the_judgement(build, cli, options, expected):
    certificate = json.loads(cli("verify", "--json", *options, build.record()).out)
    assert (certificate["track"], certificate["target"], certificate["alpha"]) == expected


def test_the_command_line_prints_what_the_library_returns(build, cli):
    folder = build.record()
    assert cli("verify", "--json", folder).out == speedcheck.verify(folder).to_json()


def test_no_certificate_at_all_is_an_empty_list():
    assert certificates_json([]) == "[]\n"


WRONG_CALLS = [
    (("verify",), "Missing argument 'FOLDER"),
    (("verify", "RECORD", "--alpha", "2"), "--alpha is 2; give a number between 0 and 1"),
    (("verify", "RECORD", "--alpha", "0"), "--alpha is 0; give a number between 0 and 1"),
    (("verify", "RECORD", "--alpha", "nan"), "alpha is nan; give a number between 0 and 1"),
    (("verify", "RECORD", "--alpha", "x"), "Invalid value for '--alpha': 'x' is not a "),
    (("verify", "RECORD", "--alpha"), "Option '--alpha' requires an argument"),
    (("verify", "RECORD", "--target", "nan"), "--target is nan; give a finite loss"),
    (("verify", "RECORD", "--target", "-inf"), "--target is -inf; give a finite loss"),
    (
        ("verify", "RECORD", "--track", "nope"),
        "choose one of: gpt2-small, gpt2-medium, gpt2-small-steps, tiny",
    ),
    (("verify", "RECORD", "--csv"), "No such option: --csv; see `speedcheck verify --help`"),
    (("verify", "RECORD", "--bogus"), "No such option: --bogus; see `speedcheck verify --help`"),
    (("verify", "RECORD", "--jsno"), "No such option: --jsno; did you mean --json?"),
    (("table", "RECORD", "--json"), "No such option: --json; see `speedcheck table --help`"),
    (("data", "fetch", "--x"), "No such option: --x; see `speedcheck data fetch --help`"),
    (("certify", "RECORD"), "No such command 'certify'"),
    (("frobnicate",), "No such command 'frobnicate'; see `speedcheck --help`"),
    (("compare", "RECORD", "b", "c"), "see `speedcheck compare --help`"),
    (("--verbose",), "No such option: --verbose"),
    (("verify", ""), "an argument is empty; give a value, or leave it out"),
    (("verify", "RECORD", ""), "an argument is empty; give a value, or leave it out"),
    (("verify", "RECORD", "--json", ""), "an argument is empty; give a value, or leave it out"),
    (("verify", "RECORD", "--track", ""), "--track is empty; give a value, or leave it out"),
    (("verify", "RECORD", "--track="), "--track is empty; give a value, or leave it out"),
    (("init", ""), "an argument is empty; give a value, or leave it out"),
    (("gate", "--base", ""), "--base is empty; give a value, or leave it out"),
    (("verify", "RECORD", "--markdown", "-q"), "--markdown and --quiet exclude one another"),
    (("verify", "RECORD", "--runs", "-q"), "--runs and --quiet exclude one another"),
    (("verify", "RECORD", "--runs", "--json"), "--runs and --json exclude one another"),
    (("verify", "RECORD", "--baseline", "RECORD"), "the baseline is the record itself; name"),
    (("verify", "no/such/folder"), "no/such/folder: the record folder does not exist"),
    (("table", "no/such/folder"), "no/such/folder: the record folder does not exist"),
    (("verify", "a\n\x1b[31m\u202e"), "a \\x1b[31m\\u202e: the record folder does not exist"),
]


@pytest.mark.parametrize(("words", "complaint"), WRONG_CALLS)
def test_a_wrong_call_is_one_line_on_standard_error_and_exits_with_2(build, cli, words, complaint):
    folder = build.record()
    result = cli(*(str(folder) if word == "RECORD" else word for word in words))
    assert result.code == 2
    assert result.out.strip() == ""
    assert result.err.startswith("speedcheck: error: ")
    # Releases of Typer differ in how they write an argument's name.
    assert complaint in result.err.replace("FOLDERS", "folders")
    assert result.err.count("\n") == 1
    assert "internal error" not in result.err


def test_a_folder_that_cannot_be_used_hides_none_of_the_others(build, cli):
    build.record(name="a")
    bad = build.folder({"record.toml": "alpha = 3"}, name="b")
    build.record(name="c")
    result = cli("verify", build.path, build.path / "missing")
    assert result.code == 2
    assert result.out.count("CERTIFIED: ") == 4
    assert [line.split(": ")[2] for line in result.err.splitlines()] == [
        str(build.path / "missing"),
        str(bad / "record.toml"),
    ]


def test_a_bug_is_one_line_that_asks_for_a_report(build, cli, monkeypatch):
    monkeypatch.delenv("SPEEDCHECK_DEBUG", raising=False)
    monkeypatch.setattr("speedcheck.api.judge", lambda *arguments, **keywords: 1 / 0)
    result = cli("verify", build.record())
    assert result.code == 2
    assert result.err.startswith("speedcheck: error: internal error (ZeroDivisionError: ")
    assert result.err.count("\n") == 1
    monkeypatch.setenv("SPEEDCHECK_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["verify", str(build.record())])


def test_ctrl_c_exits_with_130_and_without_a_traceback(build, cli, monkeypatch):
    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("speedcheck.api.judge", interrupt)
    result = cli("verify", build.record())
    assert result.code == 130
    assert result.err in ("", "speedcheck: error: interrupted\n")


def test_a_folder_that_may_not_be_read_is_one_line(build, cli, monkeypatch):
    folder = build.record()
    denied = PermissionError(13, "Permission denied", str(folder / "logs"))

    def refuse(*arguments):
        raise denied

    monkeypatch.setattr("speedcheck.api.read_record", refuse)
    result = cli("verify", folder)
    assert result.code == 2
    said = "cannot be read (Permission denied); check its rights"
    assert result.err == f"speedcheck: error: {folder / 'logs'}: {said}\n"


def test_version_and_help_exit_with_0(cli):
    version = cli("--version")
    assert version.code == 0
    assert version.out.startswith(f"speedcheck {speedcheck.__version__}, Python 3.")
    for words in (("--help",), ()):
        shown = cli(*words)
        assert shown.code == 0
        listed = [line.split()[0] for line in shown.out.splitlines() if line.startswith("  ")]
        assert {"run", "verify", "table"} <= set(listed)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("verify", ["--json", "--track", "--target", "--alpha", "--baseline", "--config"]),
        ("table", ["--csv"]),
        ("run", ["--recipe", "--seeds", "--out", "--resume", "--jobs", "--data-dir"]),
    ],
)
def test_the_help_of_a_command_names_its_options(cli, command, options):
    shown = cli(command, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert [option for option in options if option not in shown.out] == []


def test_the_module_is_the_command(build):
    done = subprocess.run(
        [sys.executable, "-m", "speedcheck", "verify", build.record([9.1, 9.2])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "NOT CERTIFIED" in done.stdout


@pytest.mark.parametrize("words", ["verify", "table --csv"])
def test_a_reader_that_has_seen_enough_leaves_no_complaint(build, words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "speedcheck", *words.split(), build.record()],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode in (0, 1)


def development_set():
    path = DEV_SET / "expected.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


@pytest.mark.skipif(not development_set(), reason="no development set in ../shared/logs")
def test_every_folder_of_the_development_set_is_judged_by_scipys_figures(cli):
    for folder in development_set():
        path = DEV_SET / folder["folder"]
        result = cli("verify", "--json", path)
        assert result.err == ""
        assert result.code in (0, 1)
        certificates = json.loads(result.out)
        losses = {
            (Path(log["file"]).name, log.get("run", 0)): log["val_loss"] for log in folder["logs"]
        }
        for certificate in certificates if isinstance(certificates, list) else [certificates]:
            counted = [run for run in certificate["runs"] if run["counted"]]
            expected = [losses[Path(run["log"]).name, run["run"]] for run in counted]
            assert certificate["loss"]["n"] == len(expected)
            if len(expected) > 1:
                test = scipy.stats.ttest_1samp(expected, certificate["target"], alternative="less")
                assert certificate["loss"]["p_value"] == pytest.approx(test.pvalue, rel=1e-9)
                assert certificate["loss"]["t"] == pytest.approx(test.statistic, rel=1e-9)


def test_without_a_standard_output_there_is_an_exit_code_all_the_same(build):
    command = f'"{sys.executable}" -m speedcheck verify "$1" >&-'
    for folder, code in ((build.published(), 0), (build.published([3.3, 3.31], name="bad"), 1)):
        done = subprocess.run(
            ["bash", "-c", command, "bash", folder], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.parametrize("option", ["--only", "--exclude"])
def test_a_pattern_that_matches_no_log_of_any_record_is_refused(build, cli, option):
    above = build.published(name="above/a").parent
    build.published(name="above/b")
    result = cli("verify", above, "--only", "*.txt", option, "seed-24*")
    assert (result.code, result.out) == (2, "")
    assert f"error: {option} 'seed-24*' matches no log; a pattern must match" in result.err
    with pytest.raises(UsageError, match="matches no log"):
        speedcheck.verify(above / "a", only=["*"], exclude=["seed-24*"])


def test_a_selection_without_a_log_is_named_as_it_was_typed(build, cli):
    result = cli("verify", build.published(), "--only", "x")
    assert result.code == 2
    assert "no log is left by --only 'x'; a pattern must match the end" in result.err


def test_a_folder_that_is_named_twice_is_judged_once(build, cli):
    folder = build.record(name="records/a")
    result = cli("verify", folder, folder.parent, folder / "..", "-q")
    assert (result.code, len(result.out.splitlines())) == (0, 1)


def test_the_baseline_among_the_records_of_a_folder_is_judged_without_one(build, cli):
    base = build.record(name="records/a")
    build.record([loss + 1e-4 for loss in (1.19, 1.22, 1.18, 1.23)], name="records/b")
    result = cli("verify", base.parent, "--baseline", base, "--json")
    a, b = json.loads(result.out)
    assert "S002 no-baseline" in {f["code"] for f in a["verdicts"]["speed"]["findings"]}
    assert "S002 no-baseline" not in {f["code"] for f in b["verdicts"]["speed"]["findings"]}
    with pytest.raises(UsageError, match="the baseline is the record itself"):
        speedcheck.verify(base, baseline=base)


def test_empty_words_of_a_script_are_its_own(tmp_path, cli):
    missing = tmp_path / "missing.py"
    assert "an argument is empty" not in cli("run", "--script", missing, "--", "").err


def test_the_headline_of_a_wrong_validation_says_what_the_track_asks_for(build, cli):
    result = cli("verify", build.record([1.27, 1.28]), "--track", "gpt2-small")
    words = "NOT CERTIFIED: validated on 16384 tokens, and the track asks for 10485760"
    assert words in " ".join(result.out.split())
