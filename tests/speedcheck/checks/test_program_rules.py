"""The rules verdict on embedded programs, alone and against a baseline's."""

from __future__ import annotations

import pytest

from speedcheck.api import verify
from speedcheck.program import Sources, program_sources
from speedcheck.records.record_folder import read_record

H100 = "NVIDIA H100 80GB HBM3"
CLEAN = "import torch\nval_tokens = 10485760\nclass DataLoader:\n    size = 1\n"
TUNED = f"{CLEAN}torch._inductor.config.coordinate_descent_tuning = True\n"
OPTION = f"{CLEAN}model = torch.compile(model, dynamic=False, mode='max-autotune')\n"


@pytest.fixture(autouse=True)
def _environment_known(monkeypatch):
    """The environment of runs is the subject of test_environment.py."""
    monkeypatch.setattr("speedcheck.checks.rules.check_environment", lambda sample: ())


@pytest.fixture
def rules(build):
    """Judge a folder of published logs with this program, against a baseline with another."""

    def judge(script, baseline=None, **options):
        folder = build.published(script=script)
        if baseline is not None:
            options["baseline"] = build.published(script=baseline, name="baseline")
        verdict = verify(folder, **options).verdicts.rules
        return verdict.status, [(f.code.split()[0], f.severity, f.where) for f in verdict.findings]

    return judge


def test_a_program_without_settings_that_validates_as_the_track_asks_passes(rules):
    assert rules(CLEAN) == ("pass", [])


@pytest.mark.parametrize(("script", "code"), [(TUNED, "R005"), (OPTION, "R006")])
def test_a_setting_of_the_compiler_is_one_warning_with_its_line_for_all_logs(rules, script, code):
    assert rules(script) == ("warn", [(code, "warn", "00.txt:5")])


@pytest.mark.parametrize(("script", "code"), [(TUNED, "R005"), (OPTION, "R006")])
def test_a_setting_that_the_baseline_does_without_fails(rules, build, script, code):
    assert rules(script, CLEAN) == ("fail", [(code, "fail", "00.txt:5")])
    folder, baseline = build.path / "submission", build.path / "baseline"
    (finding,) = verify(folder, baseline=baseline).verdicts.rules.findings
    assert finding.message.endswith("and the baseline's program does without it")


@pytest.mark.parametrize("script", [TUNED, OPTION])
def test_a_setting_that_the_baseline_has_too_stays_a_warning(rules, script):
    (_, ((_, severity, _),)) = rules(script, f"# again\n{script}")
    assert severity == "warn"


def test_another_value_of_the_baselines_setting_fails(rules):
    status, _ = rules(TUNED, TUNED.replace("True", "False"))
    assert status == "fail"


def test_a_baseline_that_cannot_be_read_makes_no_setting_a_failure(rules):
    status, findings = rules(TUNED, "import torch:\n")
    assert (status, findings) == ("warn", [("R005", "warn", "00.txt:5")])


def test_what_cannot_be_told_is_unknown_even_where_the_baseline_lacks_it(rules):
    assert rules(f"{CLEAN}exec(text)\n", CLEAN) == ("unknown", [("R007", "unknown", "00.txt:5")])


@pytest.mark.parametrize(
    ("line", "code", "severity"),
    [
        ("val_tokens = 1048576", "R002", "fail"),
        ("val_tokens = 10 * 1024**2", None, None),
        ("val_tokens = count(shard)", "R008", "unknown"),
        ("val_tokens = 10485760; val_tokens = 1048576", "R008", "unknown"),
        ("tokens = 10485760", "R008", "unknown"),
    ],
)
def test_the_number_of_validation_tokens_is_judged_from_the_program(rules, line, code, severity):
    _, findings = rules(f"import torch\n{line}\n")
    where = "00.txt" if line.startswith("tokens") else "00.txt:2"
    assert findings == ([(code, severity, where)] if code else [])


def test_the_lines_are_those_of_the_log_when_a_separator_stands_before_the_program(
    build, published_log_text
):
    text = "=" * 100 + "\n" + published_log_text(script=TUNED)
    folder = build.folder({"a.txt": text, "b.txt": published_log_text(script=TUNED, time_ms=1)})
    (finding,) = verify(folder).verdicts.rules.findings
    name, line = finding.where.split(":")
    assert "coordinate_descent_tuning" in (folder / name).read_text().split("\n")[int(line) - 1]


def test_a_data_loader_that_differs_from_the_baselines_is_named_in_a_warning(rules, build):
    assert rules(CLEAN.replace("size = 1", "size = 2"), CLEAN) == (
        "warn",
        [("R009", "warn", "00.txt")],
    )
    folder, baseline = build.path / "submission", build.path / "baseline"
    (finding,) = verify(folder, baseline=baseline).verdicts.rules.findings
    assert "differs from the baseline's in DataLoader:" in finding.message


def test_a_data_loader_in_a_program_of_another_python_is_not_compared(rules):
    torn = f"{CLEAN}def load():\n    return 1 +\n\nload()\n"
    status, findings = rules(torn, CLEAN)
    assert (status, findings) == ("unknown", [("R004", "unknown", "00.txt")])
    assert rules(torn) == ("unknown", [("R004", "unknown", "00.txt")])
    assert rules(CLEAN, torn) == ("pass", [])


def test_the_same_data_loader_and_one_that_is_not_found_are_no_finding(rules):
    commented = CLEAN.replace("class", "# loads\nclass")
    assert rules(commented, CLEAN) == ("pass", [])
    assert rules(CLEAN, CLEAN.replace("DataLoader", "Thing")) == ("pass", [])
    assert rules(CLEAN.replace("DataLoader", "Thing"), CLEAN) == ("pass", [])


@pytest.mark.parametrize(
    "script",
    [
        "import torch:\n",
        "# [565 lines of the program omitted, sha256 78b9ea95995afc95]\n",
        f"import torch\nx = {'(' * 100_000}\n",
    ],
    ids=["broken", "not there", "nested"],
)
def test_a_program_that_is_not_there_or_cannot_be_parsed_leaves_the_rules_unknown(rules, script):
    assert rules(script) == ("unknown", [("R004", "unknown", "00.txt")])


def test_logs_without_a_program_leave_the_rules_unknown(build):
    folder = build.folder(
        {f"{i}.log": f"s:0 tel:11.0\ns:9536 tel:3.{27 + i}60\n" for i in range(2)}
    )
    codes = [f.code for f in verify(folder).verdicts.rules.findings]
    assert codes == ["R003 hardware-unknown"] * 2 + ["R004 source-not-read"]


@pytest.mark.parametrize("track", ["gpt2-small", "gpt2-small-steps", "tiny"])
def test_without_a_counted_run_the_rules_are_unknown_for_every_track(build, track):
    text = "step:0/100 val_loss:4.1 train_time:0ms\nstep:50/100 val_loss:3.2 train_time:9ms\n"
    certificate = verify(build.folder({"a.txt": text}), track=track)
    assert not any(run.counted for run in certificate.runs)
    assert certificate.verdicts.rules.status == "unknown"
    assert "R004" in {finding.code[:4] for finding in certificate.verdicts.rules.findings}


@pytest.mark.parametrize("track", ["gpt2-small-steps", "tiny"])
def test_only_the_timed_tracks_forbid_settings_of_the_compiler(rules, track):
    assert rules(TUNED, track=track) == ("pass", [])


def test_the_header_of_the_bundled_trainer_says_on_how_many_tokens_it_validated(
    build, small_losses
):
    options = {"recipe": "sub3", "gpus": (H100,) * 8, "val_tokens": 10_485_760, "steps": 1393}
    plan = {"track": "gpt2-small", "recipe": "sub3"}
    program = "# file: trainer/config.py\nimport os\nval_tokens = 16384\n"
    folder = build.record(small_losses, plan=plan, program=program, **options)
    assert verify(folder).verdicts.rules.status == "pass"


def test_the_bundled_trainer_too_is_read_for_settings(build, small_losses):
    options = {"recipe": "sub3", "gpus": (H100,) * 8, "val_tokens": 10_485_760, "steps": 1393}
    plan = {"track": "gpt2-small", "recipe": "sub3"}
    folder = build.record(small_losses, plan=plan, program=TUNED, **options)
    assert verify(folder).verdicts.rules.status == "warn"


def test_a_log_that_changes_after_it_was_read_is_not_read_again(build):
    folder = build.published(script=TUNED)
    record = read_record(folder)
    run = record.logs[0].runs[0]
    (folder / "00.txt").write_bytes((folder / "01.txt").read_bytes())
    source = Sources(folder, record.logs).of(run)
    assert source is not None
    assert source.program.problem == "the log changed while it was read"
    (folder / "00.txt").unlink()
    source = Sources(folder, record.logs).of(run)
    assert source is not None
    assert source.program.problem.startswith("the log cannot be read again")


def test_each_of_many_programs_with_a_seed_of_its_own_is_read(build, published_log_text):
    texts = {
        f"{i:02d}.txt": published_log_text(
            val_loss=3.27 + i / 10_000,
            time_ms=i,
            script=f"{TUNED if i == 99 else CLEAN}seed = {i}\n",
        )
        for i in range(100)
    }
    certificate = verify(build.folder(texts), group="all")
    (finding,) = certificate.verdicts.rules.findings
    assert (finding.code.split()[0], finding.where) == ("R005", "99.txt:5")
    assert [group.n for group in certificate.groups] == [99, 1]


def test_more_text_of_programs_than_a_record_has_is_not_read(
    build, published_log_text, monkeypatch
):
    monkeypatch.setattr(program_sources, "MAX_CHARACTERS", 1000)
    texts = {
        f"{i}.txt": published_log_text(script=f"{CLEAN}x = {i}\n#{'-' * 500}\n", time_ms=i)
        for i in range(2)
    }
    findings = verify(build.folder(texts), group="all").verdicts.rules.findings
    assert [(finding.message, finding.where) for finding in findings] == [
        (
            "the program cannot be read: programs of more than 0 MiB together: not read",
            "1.txt",
        )
    ]
