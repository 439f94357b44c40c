"""READMEs of many authors: none is accused, and a wrong digit is named.

`readmes/*.md` were written by hand in as many manners; `readmes/readmes.toml` holds for each the
runs that its author had, the figures that a person reads and this program confirms (by line and
subject), and digits with the findings that changing them brings.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from speedcheck.api import verify

FOLDER = Path(__file__).parent / "readmes"
READMES = tomllib.loads((FOLDER / "readmes.toml").read_text(encoding="utf-8"))
SEPARATOR = "=" * 100 + "\n"
ACCUSATIONS = {"P003", "P014", "P038", "P039"}


def text_of(name):
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def log_of(readme, index):
    """Write a log with the losses at earlier steps that the README knows."""
    last = readme.get("steps", 1393)
    losses = {0: 10.8258, 125: 4.4043, last: readme["losses"][index]}
    for key, values in readme.items():
        if key.startswith("losses_at_"):
            losses[int(key.rpartition("_")[2])] = values[index]
    digits, seconds = readme.get("decimals", 4), readme["times"][index]
    lines = "".join(
        f"step:{step}/{last} val_loss:{loss:.{digits}f} "
        f"train_time:{round(seconds * 1000 * step / last)}ms step_avg:1.00ms\n"
        for step, loss in sorted(losses.items())
    )
    return f"{SEPARATOR}Running PyTorch 2.7.0 compiled for CUDA 12.6\n{SEPARATOR}{lines}"


@pytest.fixture
def judged(build):
    """Judge a README beside the first logs of its author."""

    def judge(name, text, logs=None):
        readme = READMES[name]
        indices = range(len(readme["losses"]))[:logs]
        # Names of other orders than the lists have.
        files = {f"{37 * i % 101:03d}.txt": log_of(readme, i) for i in indices}
        folder = build.folder({**files, "README.md": text}, name)
        return verify(folder, target=readme.get("target", 3.28))

    return judge


def accusations(certificate):
    findings = certificate.verdicts.provenance.findings
    return {finding.code[:4] for finding in findings} & ACCUSATIONS


def test_each_document_is_in_the_table():
    assert {path.stem for path in FOLDER.glob("*.md")} == READMES.keys()


@pytest.mark.parametrize("name", READMES)
def test_an_honest_document_is_not_accused_and_its_figures_are_confirmed(judged, name):
    certificate = judged(name, text_of(name))
    assert accusations(certificate) == set()
    confirmed = {
        f"{claim.where.rpartition(':')[2]} {claim.what}"
        for claim in certificate.claims
        if claim.status == "confirmed"
    }
    assert set(READMES[name]["read"]) <= confirmed


@pytest.mark.parametrize("name", READMES)
def test_an_honest_document_is_not_refuted_where_one_log_of_many_is_kept(judged, name):
    # That one run certifies nothing is said as unknown.
    assert accusations(judged(name, text_of(name), logs=1)) <= {"P003"}


WRONG = [(name, wrong) for name, readme in READMES.items() for wrong in readme.get("wrong", ())]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [pytest.param(n, w, id=f"{n}-{w['from']}-{w['to']}") for n, w in WRONG],
)
def test_a_wrong_digit_is_named(judged, name, wrong):
    lines = text_of(name).split("\n")
    line, at = lines[wrong["line"] - 1], wrong["at"]
    assert line[at : at + len(wrong["from"])] == wrong["from"]
    lines[wrong["line"] - 1] = line[:at] + wrong["to"] + line[at + len(wrong["from"]) :]
    assert accusations(judged(name, "\n".join(lines))) == set(wrong["found"])
