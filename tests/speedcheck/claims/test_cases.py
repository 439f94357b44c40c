"""Documents that were judged wrongly once, each standing for a kind; the figures are a person's."""

from __future__ import annotations

import pytest

from speedcheck.api import verify

BPB = ("1.1192", "1.1189", "1.1200")
PATTERN = r"seed:(?P<seed>\d+)|val_bpb:(?P<val_loss>\S+)"
CONFIG = f"default_track = 't'\n[tracks.t]\ntarget = 1.2\nlog_pattern = '''{PATTERN}'''\n"
HEADLINE = "**val_bpb: 1.1149** (3-seed mean, std 0.0006)\n"
TEST = "One-sided t-test against `1.1219`: `t=-7.53` with `df=2`, `p=0.0086`\n"


def table(head, *columns):
    rows = [
        "|".join(["", *row, ""]) for row in (head, ["---"] * len(head), *zip(*columns, strict=True))
    ]
    return "\n".join(rows) + "\n"


SEEDS = ("1", "2", "3")
NATS = ("1.8684", "1.8704", "1.8648")
MEAN = "\nMean val_bpb 1.1194, std 0.0006\n"


@pytest.fixture
def judged(build, monkeypatch):
    """Judge a README beside three logs of another competition."""

    def judge(readme):
        logs = {f"s{i}.log": f"seed:{i}\nval_bpb:{x}\n" for i, x in enumerate(BPB, start=1)}
        folder = build.folder({**logs, "README.md": readme})
        (build.path / "speedcheck.toml").write_text(CONFIG)
        monkeypatch.chdir(build.path)
        certificate = verify(folder)
        findings = certificate.verdicts.provenance.findings
        claims = {"P003", "P014", "P022", "P038", "P039"}
        return certificate, {f.code[:4] for f in findings} & claims

    return judge


@pytest.mark.parametrize(
    ("readme", "certified", "codes"),
    [
        pytest.param(HEADLINE, True, {"P038"}, id="a headline over other logs"),
        pytest.param(
            HEADLINE + "\n" + table(("Seed", "TTT time"), SEEDS, ("410s", "408s", "408s")),
            *(True, {"P038"}),
            id="a headline, and times of something else",
        ),
        pytest.param(
            HEADLINE + "\n" + table(("Seed", "val_bpb"), SEEDS, ("1.1142", "1.1160", "1.1145")),
            *(False, {"P014", "P038"}),
            id="a table of other losses by seed",
        ),
        pytest.param(MEAN + "\n" + TEST, True, set(), id="a null value of its own"),
        pytest.param(
            table(("Seed", "val_loss (nats)", "val_bpb"), SEEDS, NATS, BPB) + MEAN,
            *(True, set()),
            id="the loss in nats beside the measure",
        ),
        pytest.param(
            table(("Run", "Sliding BPB", "val_loss (nats)"), SEEDS, BPB, NATS) + MEAN,
            *(True, set()),
            id="the measure under another heading",
        ),
        pytest.param(
            "bpb: [1.1192, 1.1189, 1.1200]\nmean: 1.1194\np-value < 1.195: 0.00234486\n",
            *(True, {"P038"}),
            id="a null value that reads like a bound",
        ),
        pytest.param(
            table(("Run", "Training time (min)", "val_bpb"), SEEDS, ("94.6",) * 3, BPB),
            *(True, set()),
            id="times that the logs do not have",
        ),
        pytest.param(
            table(("Run", "Training time (min)"), SEEDS, ("94.6", "94.5", "94.7")),
            *(True, set()),
            id="nothing but times that the logs do not have",
        ),
        pytest.param(
            table(("Seed", "val_bpb"), ("10", "20", "30"), BPB), True, {"P039"}, id="other seeds"
        ),
    ],
)
def test_the_document_is_judged_as_a_person_does(judged, readme, certified, codes):
    certificate, found = judged(readme)
    assert (certificate.certified, found) == (certified, codes)


def test_a_requirements_file_beside_the_logs_changes_nothing(build):
    logs = {
        f"logs/{i}.txt": f"step:100/100 val_loss:{x:.4f} train_time:1000ms\n"
        for i, x in enumerate((3.273, 3.274, 3.275, 3.276))
    }
    readme = "```python\naccs = [3.2701, 3.2695, 3.2704, 3.2705]\n```\n"
    for name, extra in (("a", {}), ("b", {"requirements.txt": "numpy\n"})):
        folder = build.folder({**logs, **extra, "README.md": readme}, name=f"{name}/r")
        assert not verify(folder).certified


def test_one_log_of_three_is_a_shortfall_and_a_rounded_list_refutes_nothing(build):
    readme = table(
        ("Seed", "val_loss"), (*SEEDS, "**Mean**"), ("3.2748", "3.2745", "3.2749", "**3.2748**")
    )
    log = "step:0/100 val_loss:10.0 train_time:0ms\nstep:100/100 val_loss:3.27484 train_time:1ms\n"
    findings = verify(
        build.folder({"a.txt": log, "README.md": readme})
    ).verdicts.provenance.findings
    assert {f.code[:4]: f.severity for f in findings if f.code[:4] in ("P003", "P014", "P038")} == {
        "P003": "unknown"
    }
