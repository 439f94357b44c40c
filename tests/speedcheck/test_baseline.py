"""A record beside its baseline: what is compared, what is shown, and what may not be compared."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.stats

from speedcheck.api import verify
from speedcheck.errors import InputError

RNG = np.random.default_rng(11)
FAST = [round(x) for x in RNG.normal(175_000, 100, 8)]
SLOW = [round(x) for x in RNG.normal(180_000, 100, 7)]


@pytest.fixture
def timed(build, published_log_text, small_losses):
    """Write a folder of published logs with these times in milliseconds."""

    def write(name, times, losses=None, kind=None, **options):
        losses = losses or [small_losses[i % 6] + (i // 6) * 1e-4 for i in range(len(times))]
        logs = {
            f"{index:02d}.txt": published_log_text(val_loss=loss, time_ms=ms, **options)
            for index, (loss, ms) in enumerate(zip(losses, times, strict=True))
        }
        plan = {"record.toml": f'kind = "{kind}"\n'} if kind else {}
        return build.folder(logs | plan, name)

    return write


@pytest.fixture
def trained(build, log_text, losses):
    """Write logs of the bundled trainer, with the minute at which each run started."""

    def write(name, times, minutes, host=None, gpus=()):
        logs = {}
        for seed, (ms, minute) in enumerate(zip(times, minutes, strict=True)):
            text = log_text(seed=seed, val_loss=losses[seed], time_ms=ms, gpus=gpus)
            started = f"2026-11-21T18:{minute:02d}:00Z"
            text = text.replace("2026-11-21T18:30:00Z", started)
            logs[f"{seed}.txt"] = text.replace(
                '"id": "5f0c1e2d3a4b"', host or '"id": "5f0c1e2d3a4b"'
            )
        return build.folder(logs, name)

    return write


def speed_of(folder, baseline, **options):
    verdict = verify(folder, baseline=baseline, **options).verdicts.speed
    return verdict.status, {finding.code.split()[0]: finding for finding in verdict.findings}


def test_a_faster_record_on_equal_hardware_passes_with_welchs_figures(timed):
    status, found = speed_of(timed("a", FAST), timed("b", SLOW))
    assert (status, set(found)) == ("pass", {"S003"})
    a, b = np.array(FAST) / 1000, np.array(SLOW) / 1000
    test = scipy.stats.ttest_ind(a, b, equal_var=False, alternative="less")
    low, high = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert found["S003"].message == (
        f"mean time {a.mean():.3f} s (n = 8) against {b.mean():.3f} s (n = 7): "
        f"{a.mean() - b.mean():+.3f} (95% interval {low:+.3f} to {high:+.3f}) s, "
        f"one-sided Welch p = {test.pvalue:.2g} (faster)"
    )


def test_losses_are_compared_by_welch_and_by_two_one_sided_tests(timed):
    ours, theirs = [3.2777, 3.2795, 3.2784, 3.2782], [3.2790, 3.2771, 3.2786, 3.2779, 3.2788]
    a, b = timed("a", FAST[:4], ours), timed("b", SLOW[:5], theirs)
    (finding,) = [f for f in verify(a, baseline=b).verdicts.loss.findings if f.code[:4] == "L009"]
    p = scipy.stats.ttest_ind(ours, theirs, equal_var=False).pvalue
    tost = max(
        scipy.stats.ttest_ind(
            np.add(ours, shift), theirs, equal_var=False, alternative=alternative
        ).pvalue
        for shift, alternative in ((-0.001, "less"), (0.001, "greater"))
    )
    assert f"two-sided Welch p = {p:.2g}; equivalent within 0.001: not shown" in finding.message
    assert finding.message.endswith(f"(TOST p = {tost:.2g})")
    assert finding.where == str(b)


@pytest.mark.parametrize(
    ("ours", "theirs", "model", "systems"),
    [
        (FAST, SLOW, ("pass", {"S003"}), ("pass", {"S003"})),
        (SLOW, FAST, ("fail", {"S003", "S004"}), ("fail", {"S003", "S004"})),
        (SLOW[:4], SLOW[3:], ("unknown", {"S003", "S005"}), ("fail", {"S003", "S005"})),
        (FAST[:1], SLOW, ("unknown", {"S003", "S005"}), ("fail", {"S003", "S005"})),
        (FAST[:4], [180_000] * 4, ("pass", {"S003"}), ("pass", {"S003"})),
        ([175_000] * 4, [180_000] * 4, ("unknown", {"S003", "S005"}), ("fail", {"S003", "S005"})),
    ],
    ids=["faster", "slower", "equal", "one run", "one without spread", "no spread"],
)
def test_what_the_times_show_decides(timed, ours, theirs, model, systems):
    baseline = timed("b", theirs)
    for kind, expected in (("model", model), ("systems", systems)):
        folder = timed(kind, ours, kind=kind)
        status, found = speed_of(folder, baseline, alpha=0.05)
        assert (status, set(found)) == expected


def test_a_systems_record_certifies_only_with_its_speed_shown(timed, cli):
    unsure = [3.2790, 3.2797, 3.2783, 3.2805, 3.2791, 3.2789, 3.2799, 3.2786]
    folder = timed("a", FAST, unsure, kind="systems")
    faster, equal = timed("b", SLOW), timed("c", FAST[:6])
    assert not verify(folder).certified
    assert not verify(folder, baseline=equal).certified
    assert verify(folder, baseline=faster).certified
    shown = cli("verify", folder, "--baseline", faster)
    assert shown.code == 0
    # Nobody logged the environment of these runs.
    headline = "CERTIFIED (loss only; rules unknown): faster than the baseline, and its loss is not"
    assert headline in " ".join(shown.out.split())


def test_a_systems_record_must_not_make_the_loss_worse(timed):
    worse = [3.2840, 3.2843, 3.2838, 3.2845, 3.2841, 3.2839, 3.2842, 3.2844]
    folder, baseline = timed("a", FAST, worse, kind="systems"), timed("b", SLOW)
    certificate = verify(folder, baseline=baseline)
    assert not certificate.certified
    (finding,) = [f for f in certificate.verdicts.loss.findings if f.code[:4] == "L010"]
    assert finding.severity == "fail"
    model = verify(timed("m", FAST, worse, kind="model"), baseline=baseline)
    assert "L010" not in {f.code[:4] for f in model.verdicts.loss.findings}


def test_to_be_faster_than_what_misses_the_target_is_no_systems_record(timed):
    weak = timed("b", SLOW, [3.29, 3.291, 3.292, 3.293, 3.294, 3.295, 3.296])
    status, found = speed_of(timed("a", FAST, kind="systems"), weak)
    assert (status, found["S007"].severity) == ("unknown", "unknown")
    status, found = speed_of(timed("m", FAST), weak)
    assert (status, found["S007"].severity) == ("pass", "info")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_gpus": 1}, "the record ran on 8 x NVIDIA H100 80GB HBM3, the baseline on 1 x NVIDIA"),
        ({"gpu": "NVIDIA H200"}, "the baseline on 8 x NVIDIA H200"),
        ({"n_gpus": 0}, "the baseline does not say what it ran on"),
    ],
)
def test_times_of_other_or_unknown_hardware_are_not_compared(timed, options, reason):
    status, found = speed_of(timed("a", FAST), timed("b", SLOW, **options))
    assert (status, set(found)) == ("unknown", {"S006"})
    assert reason in found["S006"].message
    assert "against 180.0" in found["S006"].message
    assert not verify(
        timed("s", FAST, kind="systems"), baseline=timed("b", SLOW, **options)
    ).certified


def test_mixed_hardware_is_not_compared(timed, published_log_text):
    folder = timed("a", FAST)
    (folder / "h200.txt").write_text(published_log_text(gpu="NVIDIA H200", val_loss=3.2771))
    _, found = speed_of(folder, timed("b", SLOW))
    assert "the runs of the record come from 2 kinds of hardware" in found["S006"].message


TIMES = ([9000, 9100, 8950, 9050], [9500, 9600, 9450, 9560])
AFTER = ([0, 1, 2, 3], [4, 5, 6, 7])
IN_TURN = ([0, 2, 4, 6], [1, 3, 5, 7])


def test_runs_on_one_cpu_are_compared_and_those_of_two_machines_are_not(trained):
    ours, theirs = trained("a", TIMES[0], AFTER[0]), trained("b", TIMES[1], AFTER[1])
    assert speed_of(ours, theirs, alpha=0.05)[0] == "pass"
    other = trained("c", TIMES[1], AFTER[1], host='"id": "000000000000"')
    assert "different machines" in speed_of(ours, other)[1]["S006"].message
    unnamed = trained("d", TIMES[1], AFTER[1], host='"id": null')
    assert "not all logs name the machine" in speed_of(ours, unnamed)[1]["S006"].message


def test_gpu_runs_of_two_machines_that_the_logs_name_are_not_compared(trained):
    gpus = ("NVIDIA H100",)
    ours = trained("a", TIMES[0], AFTER[0], gpus=gpus)
    assert speed_of(ours, trained("b", TIMES[1], AFTER[1], gpus=gpus), alpha=0.05)[0] == "pass"
    other = trained("c", TIMES[1], AFTER[1], host='"id": "000000000000"', gpus=gpus)
    assert "different machines" in speed_of(ours, other)[1]["S006"].message
    unnamed = trained("d", TIMES[1], AFTER[1], host='"id": null', gpus=gpus)
    assert speed_of(ours, unnamed, alpha=0.05)[0] == "pass"


def test_blocks_a_b_b_a_are_compared_in_pairs(trained):
    ours, theirs = trained("a", TIMES[0], [0, 3, 4, 7]), trained("b", TIMES[1], [1, 2, 5, 6])
    p = scipy.stats.ttest_rel(*TIMES, alternative="less").pvalue
    assert f"paired p = {p:.2g} (faster)" in speed_of(ours, theirs)[1]["S003"].message


def test_runs_made_in_turn_are_compared_in_pairs_and_others_are_not(trained):
    drift = [0, 3000, 1000, 6000]
    ours = [ms + d for ms, d in zip(TIMES[0], drift, strict=True)]
    theirs = [ms + d for ms, d in zip(TIMES[1], drift, strict=True)]
    in_turn = speed_of(trained("a", ours, IN_TURN[0]), trained("b", theirs, IN_TURN[1]))
    p = scipy.stats.ttest_rel(ours, theirs, alternative="less").pvalue
    assert in_turn[0] == "pass"
    assert f"paired p = {p:.2g} (faster)" in in_turn[1]["S003"].message
    one_after_the_other = speed_of(trained("c", ours, AFTER[0]), trained("d", theirs, AFTER[1]))
    assert one_after_the_other[0] == "unknown"
    assert "Welch p" in one_after_the_other[1]["S003"].message
    at_once = speed_of(trained("e", ours, IN_TURN[0]), trained("f", theirs, IN_TURN[0]))
    assert "Welch p" in at_once[1]["S003"].message


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "codes"),
    [
        (2850, 2900, "pass", {"S003"}),
        (2900, 2850, "fail", {"S003", "S004"}),
        (2900, 2900, "unknown", {"S003", "S005"}),
    ],
)
def test_the_step_count_track_compares_steps_on_any_hardware(timed, ours, theirs, status, codes):
    folder = timed("a", SLOW, steps=ours, n_gpus=1)
    found = speed_of(folder, timed("b", FAST, steps=theirs), track="gpt2-small-steps")
    assert (found[0], set(found[1])) == (status, codes)
    assert found[1]["S003"].message == f"{ours} steps against {theirs}"


def test_a_baseline_without_times_is_not_compared(timed, build):
    old = build.folder({"main.log": "s:0 tel:11.0\ns:9536 tel:3.2760\n"}, name="b")
    status, found = speed_of(timed("a", FAST), old)
    assert (status, set(found)) == ("unknown", {"S007", "S006"})
    assert "does not say how long its runs took" in found["S006"].message


def test_published_losses_are_compared_though_no_time_can_be(timed, build):
    text = "[published]\nlosses = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2778]\n"
    published = build.folder({"record.toml": text}, name="b")
    certificate = verify(timed("a", FAST), baseline=published)
    assert "L009" in {f.code[:4] for f in certificate.verdicts.loss.findings}
    assert certificate.verdicts.speed.status == "unknown"


def test_the_report_has_a_section_for_the_baseline_and_says_nothing_twice(timed, cli):
    folder, baseline = timed("a", FAST), timed("b", SLOW)
    shown = cli("verify", folder, "--baseline", baseline).out
    text = " ".join(shown.split())
    assert text.count("mean time ") == text.count("equivalent within") == 1
    assert shown.index("against ") < shown.index(" loss        pass")
    assert max(map(len, shown.splitlines())) <= 80


def test_the_baseline_changes_no_key_of_the_certificate(timed, cli):
    folder, baseline = timed("a", FAST), timed("b", SLOW)
    alone = json.loads(cli("verify", "--json", folder).out)
    beside = json.loads(cli("verify", "--json", folder, "--baseline", baseline).out)
    assert list(beside) == list(alone)
    assert beside["loss"] == alone["loss"]
    assert beside["runs"] == alone["runs"]


def test_record_toml_names_the_baseline_and_the_caller_another(timed):
    folder = timed("a", FAST, kind="systems")
    timed("b", SLOW)
    (folder / "record.toml").write_text('kind = "systems"\nbaseline = "../b"\n')
    assert verify(folder).certified
    assert verify(folder).verdicts.speed.findings[0].where == "../b"
    assert not verify(folder, baseline=timed("c", FAST)).certified


@pytest.mark.parametrize(
    ("baseline", "complaint"),
    [
        ("../missing", "missing: the baseline cannot be used: the record folder does not exist"),
        ("../empty", "empty: the baseline cannot be used: holds no log and no record.toml"),
        ("..", ": the baseline cannot be used: holds "),
        ("00.txt", "00.txt: the baseline cannot be used: the record folder is a file"),
    ],
)
@pytest.mark.parametrize("by_caller", [True, False])
def test_a_baseline_that_is_no_record_is_one_line(
    timed, build, cli, baseline, complaint, by_caller
):
    folder = timed("a", FAST)
    timed("b", SLOW)
    (build.path / "empty").mkdir()
    options = []
    if by_caller:
        options = ["--baseline", folder / baseline]
    else:
        (folder / "record.toml").write_text(f'baseline = "{baseline}"\n')
    result = cli("verify", folder, *options)
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    "named", ["../../..", "/etc", "../" * 40, "link", "\\u0000", "x" * 10_000, "loop"]
)
def test_record_toml_cannot_lead_out_of_its_project(timed, build, cli, named):
    folder = timed("project/records/a", FAST)
    (build.path / "project" / ".git").mkdir()
    timed("outside", SLOW)
    (folder / "link").symlink_to(build.path / "outside")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "record.toml").write_text(f'baseline = "{named}"\n')
    result = cli("verify", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert "internal error" not in result.err
    assert verify(folder, baseline=build.path / "outside").verdicts.speed.status == "pass"


def test_a_record_that_names_itself_as_its_baseline_is_refused(timed):
    folder = timed("a", FAST)
    (folder / "record.toml").write_text('baseline = "../a"\n')
    with pytest.raises(InputError, match="baseline is the record itself"):
        verify(folder)


def test_a_record_compared_with_its_copy_shows_nothing(timed):
    folder = timed("a", FAST)
    status, found = speed_of(folder, timed("b", FAST))
    assert (status, set(found)) == ("unknown", {"S003", "S005"})
