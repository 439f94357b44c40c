"""Whatever the runs were: true READMEs are confirmed, and one wrong digit is not."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from speedcheck.claims.pools import pools_of
from speedcheck.claims.reader import read_claims

from speedcheck.certificate import JudgedRun
from speedcheck.claims import Question
from speedcheck.claims.compare import compare
from speedcheck.logs import Environment, Run, Validation

QUESTION = Question(target=3.28)
TEXT = st.text(st.characters(exclude_categories=["Nd"]) | st.sampled_from("|-:`#=()[],.\n\r\t*_<>"))
FRAGMENTS = """\
losses = [¦3.2785¦3.28¦, ¦]¦p=¦p < ¦0.01¦mean ¦std: ¦(tensor(¦)¦), tensor(¦time: ¦152.7 s¦n = 8
step 1393 ¦baseline ¦±¦→¦Mean(statistic=¦minmax=(¦np.float64(¦z-test sigma=0.0013 ¦1e400¦<!--¦-->
run 3: ¦step:9/9 val_loss:3.2 ¦new ¦vs. ¦~¦## Baseline\n¦# ¦```python\n¦```\n¦| 1 | 3.27 |\n
| run | loss |\n|-|-|\n¦ttest_1samp(losses, ¦.¦3.27¦>>> print(accs)\n¦2m ¦30.5s¦<td>
mean loss: ¦\x00"""
PIECES = st.lists(
    st.sampled_from(["\n", *FRAGMENTS.replace("\n", "¦\n").split("¦")]), max_size=40
).map("".join)


@st.composite
def samples(draw):
    """Losses of 4 decimals that differ, and times of 3, as logs print them."""
    n = draw(st.integers(3, 20))
    losses = draw(st.lists(st.integers(32_600, 32_790), min_size=n, max_size=n, unique=True))
    shortest = draw(st.integers(80_000, 250_000))
    # Runs of one program on one machine: none takes a sixth longer than another.
    longer = draw(st.lists(st.integers(0, shortest // 6), min_size=n, max_size=n, unique=True))
    return [loss / 1e4 for loss in losses], [(shortest + ms) / 1e3 for ms in longer]


def compared(text, losses, times):
    """Compare a text with complete runs of these losses and times (seconds)."""
    runs = [logged(i, *pair) for i, pair in enumerate(zip(losses, times, strict=True))]
    return compare(read_claims(text), pools_of(runs), QUESTION, "README.md", certain=True)


def logged(index, loss, seconds):
    final = Validation(1393, 1393, loss, seconds * 1000, None, 99, {})
    run = Run(
        log=f"{index}.txt",
        index=0,
        format="modded",
        validations=(Validation(0, 1393, 10.8258, 0.0, None, 9, {}), final),
        last_step=1393,
        total_steps=1393,
        environment=Environment(),
        header=None,
        source_sha256="ab" * 32,
        source_span=None,
        diverged=False,
        stopped=None,
        peak_memory_mib=None,
        step_repeats=0,
    )
    judged = JudgedRun(
        log=run.log,
        run=0,
        seed=None,
        val_loss=loss,
        train_time_ms=seconds * 1000,
        final_step=1393,
        total_steps=1393,
        complete=True,
        counted=True,
        reason="",
        gpu=None,
        n_gpus=None,
        torch=None,
        source_sha256=run.source_sha256,
    )
    return run, judged


def figures(losses, times):
    """The figures of a record, by name, as the programs of its author print them."""
    as_float32 = np.asarray(losses, np.float32)
    return {
        "p": f"{stats.ttest_1samp(losses, 3.28, alternative='less').pvalue:.4f}",
        "mean": f"{statistics.mean(losses):.6f}",
        "std": f"{statistics.stdev(losses):.6f}",
        "mean32": f"{as_float32.mean():.4f}",
        "std32": f"{as_float32.std(ddof=1):.4f}",
        "time": f"{statistics.mean(times):.3f}",
        "minutes": f"{statistics.mean(times) / 60:.3f}",
        "time_std": f"{statistics.stdev(times) * 1000:.0f}",
        "n": str(len(losses)),
    }


def unit_of(text):
    return 10.0 ** -len(text.partition(".")[2])


def code(losses, times, f):
    return (
        f"accs = {losses}\ntimes = {times}\n"
        "print('p=%.4f' % scipy.stats.ttest_1samp(accs, 3.28, alternative='less').pvalue)\n"
        f"# p={f['p']}\nprint('acc:', torch.std_mean(torch.tensor(accs)))\n"
        f"# acc: (tensor({f['std32']}), tensor({f['mean32']}))\n"
    )


def shell(losses, times, f):
    mean, _, std = stats.bayes_mvs(losses)
    return (
        f"```\n$ grep val * | python\n{losses}\n{mean}\n{std}\np={f['p']}\n```\n```\n"
        f"Mean runtime: {f['time']} seconds\nStddev: {f['time_std']}ms\n```\n"
    )


def tables(losses, times, f):
    runs = enumerate(zip(losses, times, strict=True))
    rows = "".join(f"| {i} | {loss} | {seconds:.3f} |\n" for i, (loss, seconds) in runs)
    return (
        f"| run | val_loss | time (s) |\n|---:|---:|---:|\n{rows}\n"
        f"| metric | value |\n|---|---:|\n| mean val loss | {f['mean']} |\n"
        f"| val loss sample std | {f['std']} |\n| one-sided p vs 3.28 | {f['p']} |\n"
        f"| mean train time | {f['time']} s |\n"
    )


def prose(losses, times, f):
    return (
        f"n = {f['n']}, mean val_loss: {f['mean']}, std {f['std']}, one-sided p={f['p']}.\n"
        f"Mean time: {f['minutes']} minutes.\n"
    )


SHAPES = st.sampled_from([code, shell, tables, prose])


@given(sample=samples(), shape=SHAPES)
def test_a_true_readme_is_confirmed_in_every_shape(sample, shape):
    losses, times = sample
    found = compared(shape(losses, times, figures(losses, times)), losses, times)
    assert {claim.status for claim in found.claims} == {"confirmed"}
    assert len(found.claims) >= 5
    assert (found.shortfalls, found.unlisted) == ((), ())


def changed(text, position, by):
    """Change one of the digits of a number, by 1 to 9 modulo 10."""
    places = [i for i, character in enumerate(text) if character.isdigit()]
    place = places[position % len(places)]
    return text[:place] + str((int(text[place]) + by) % 10) + text[place + 1 :]


DURATIONS = st.sampled_from(
    """{m}m {s}s|{m}m{s}s|{m} min {s} s|{m} minutes and {s} seconds|{m}'{s}"|{m}:{s}|{m}:{s} min
~{m}m {s}s|{m}m|{m}m {s} sec|0h {m}m {s}s""".replace("\n", "|").split("|")
)


@given(sample=samples(), form=DURATIONS, digits=st.integers(0, 3), is_cut=st.booleans())
def test_a_true_duration_is_never_refuted_however_it_is_rounded(sample, form, digits, is_cut):
    losses, times = sample
    mean = statistics.mean(times)
    unit = 10**digits
    shown = (int(mean * unit) if is_cut and not digits else round(mean * unit)) / unit
    minutes, seconds = divmod(shown, 60)
    text = form.format(m=int(minutes), s=f"{seconds:.{digits}f}")
    found = compared(f"losses = {losses}\nMean time: {text}\n", losses, times)
    assert "not_confirmed" not in {claim.status for claim in found.claims}
    table = f"| metric | value |\n|---|---|\n| mean time | {text} |\n| mean loss | 3.27 |\n"
    found = compared(f"losses = {losses}\n{table}", losses, times)
    assert {c.what for c in found.claims if c.status == "not_confirmed"} <= {"mean"}


@given(sample=samples(), off=st.integers(2, 500))
def test_a_wrong_duration_with_a_fraction_is_refuted(sample, off):
    losses, times = sample
    minutes, seconds = divmod(statistics.mean(times) + off / 100, 60)
    text = f"times = {times}\nMean time: {int(minutes)}m {seconds:.2f}s\n"
    assume(seconds < 59.99)
    found = compared(text, losses, times)
    (claim,) = [claim for claim in found.claims if claim.what == "time_mean"]
    assert claim.status == "not_confirmed"


@given(sample=samples(), other=samples())
def test_a_row_of_an_html_table_is_never_refuted_whatever_its_columns_are_of(sample, other):
    losses, times = sample
    means = [statistics.mean(values) for values in (other[0], losses)]
    cells = "".join(f"<td>{mean:.4f}</td>" for mean in means)
    row = f"<table>\n<tr><td>mean val loss</td>{cells}</tr>\n</table>\n"
    claims = compared(f"losses = {losses}\n{row}", losses, times).claims
    assert "not_confirmed" not in {claim.status for claim in claims}


@given(
    sample=samples(),
    shape=SHAPES,
    what=st.sampled_from(["p", "mean"]),
    position=st.integers(0, 20),
    by=st.integers(1, 9),
)
def test_one_digit_of_a_figure_changed_is_not_confirmed(sample, shape, what, position, by):
    losses, times = sample
    true = figures(losses, times)
    wrong = {key: changed(true[key], position, by) for key in (what, f"{what}32") if key in true}
    p = stats.ttest_1samp(losses, 3.28, alternative="less").pvalue
    # One- and two-sided p-values go by one name.
    values = [p, 2 * min(p, 1 - p)] if what == "p" else [statistics.mean(losses)]
    # A value between two printed ones may be rounded to either.
    for text in wrong.values():
        assume(all(abs(float(text) - value) > 0.6 * unit_of(text) for value in values))
    found = compared(shape(losses, times, true | wrong), losses, times)
    printed = set(wrong.values())
    claims = [claim for claim in found.claims if claim.claimed in printed and claim.what == what]
    # A mean that is no loss any more is no claim that is read.
    assert claims or what == "mean"
    assert all(claim.status == "not_confirmed" for claim in claims)


@given(
    sample=samples(),
    shape=st.sampled_from([code, shell, tables]),
    index=st.integers(0, 99),
    position=st.integers(1, 20),
    by=st.integers(1, 9),
)
def test_one_digit_of_a_loss_changed_is_not_confirmed(sample, shape, index, position, by):
    losses, times = sample
    index %= len(losses)
    printed = f"{losses[index]:.4f}"
    # The first digit stays: 9.2785 among losses of 3.2 makes the list one of something else.
    wrong = float(printed[0] + changed(printed[1:], position, by))
    # What a person rounded by hand, such as 3.27 among 3.2785, is no mistake.
    decimals = len(repr(wrong).partition(".")[2])
    assume(decimals > 2 or abs(losses[index] - wrong) > 0.6 * 10.0**-decimals)
    claimed = [*losses[:index], wrong, *losses[index + 1 :]]
    found = compared(shape(claimed, times, figures(losses, times)), losses, times)
    (claim,) = [claim for claim in found.claims if claim.what == "losses"]
    assert claim.status == "not_confirmed"
    assert f"no log gives {wrong}" in claim.recomputed


@given(sample=samples(), left_out=st.integers(1, 3))
def test_logs_left_out_are_a_shortfall_of_the_list(sample, left_out):
    losses, times = sample
    left = max(len(losses) - left_out, 2)
    assume(left < len(losses))
    found = compared(f"losses = {losses}", losses[:left], times[:left])
    (shortfall,) = found.shortfalls
    assert (shortfall.claimed, shortfall.logs) == (len(losses), left)
    # A few logs of many are a sample, from which nobody can tell.
    status = "not_confirmed" if 2 * left >= len(losses) else "not_checkable"
    assert [claim.status for claim in found.claims] == [status]


@given(text=TEXT)
def test_a_text_without_a_digit_claims_nothing(text):
    assert not any(claims.series or claims.figures for claims in read_claims(text))


@settings(max_examples=300)
@given(text=PIECES)
def test_any_heap_of_pieces_is_compared_without_a_crash(text):
    found = compared(text, [3.2785, 3.2779, 3.2791], [152.7, 152.8, 152.9])
    numbers = any(character.isdigit() for character in text)
    assert numbers or not found.claims
    assert all(claim.recomputed for claim in found.claims if claim.status != "not_checkable")


@settings(max_examples=300)
@given(text=st.text())
def test_any_text_is_compared_without_a_crash(text):
    compared(text, [3.2785, 3.2779, 3.2791], [152.7, 152.8, 152.9])
