"""READMEs of many authors: what a person reads in each is confirmed, and a wrong digit is found.

`readmes/*.md` were written by hand in as many manners; `readmes/readmes.toml` holds for each the
runs that its author had, the figures that a person reads and this program confirms (by line and
subject), those that it leaves alone, and digits with what must be refuted once they are changed.
"""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest

from speedcheck.api import verify

FOLDER = Path(__file__).parent / "readmes"
READMES = tomllib.loads((FOLDER / "readmes.toml").read_text(encoding="utf-8"))
SEPARATOR = "=" * 100 + "\n"


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
def claims_of(build):
    """Judge a README beside the first logs of its author and give its claims."""

    def judge(name, text, logs=None):
        readme = READMES[name]
        indices = range(len(readme["losses"]))[:logs]
        # Names of other orders than the lists have.
        files = {f"{37 * i % 101:03d}.txt": log_of(readme, i) for i in indices}
        folder = build.folder({**files, "README.md": text}, name)
        return verify(folder, target=readme.get("target", 3.28)).claims

    return judge


def lines_of(claims, status):
    return sorted(
        f"{claim.where.rpartition(':')[2]} {claim.what}"
        for claim in claims
        if claim.status == status
    )


def test_each_document_is_in_the_table():
    assert {path.stem for path in FOLDER.glob("*.md")} == READMES.keys()


@pytest.mark.parametrize("name", READMES)
def test_what_a_person_reads_is_confirmed_and_nothing_is_refuted(claims_of, name):
    claims = claims_of(name, text_of(name))
    assert lines_of(claims, "not_confirmed") == []
    assert lines_of(claims, "confirmed") == sorted(READMES[name]["read"])
    known = set(lines_of(claims, "confirmed"))
    assert not known & set(READMES[name].get("not_read", ()))


@pytest.mark.parametrize("name", READMES)
def test_an_honest_document_is_not_refuted_where_one_log_of_many_is_kept(claims_of, name):
    assert lines_of(claims_of(name, text_of(name), logs=1), "not_confirmed") == []


WRONG = [(name, wrong) for name, readme in READMES.items() for wrong in readme.get("wrong", ())]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [pytest.param(n, w, id=f"{n}-{w['from']}-{w['to']}") for n, w in WRONG],
)
def test_a_wrong_digit_is_refuted_with_what_follows_from_it(claims_of, name, wrong):
    lines = text_of(name).split("\n")
    line, at = lines[wrong["line"] - 1], wrong["at"]
    assert line[at : at + len(wrong["from"])] == wrong["from"]
    lines[wrong["line"] - 1] = line[:at] + wrong["to"] + line[at + len(wrong["from"]) :]
    claims = claims_of(name, "\n".join(lines))
    assert lines_of(claims, "not_confirmed") == wrong["refuted"]


@pytest.mark.parametrize(("name", "sibling"), [*itertools.pairwise(READMES)])
def test_a_document_above_two_folders_refutes_nothing_of_the_one_it_does_not_speak_of(
    build, name, sibling
):
    files = {
        f"{folder}/{index:03d}.txt": log_of(READMES[whose], index)
        for folder, whose in (("own", name), ("sibling", sibling))
        for index in range(len(READMES[whose]["losses"]))
    }
    above = build.folder({**files, "README.md": text_of(name)}, name)
    target = READMES[name].get("target", 3.28)
    for folder in ("own", "sibling"):
        certificate = verify(above / folder, target=target)
        assert lines_of(certificate.claims, "not_confirmed") == []
        findings = certificate.verdicts.provenance.findings
        assert not {finding.code[:4] for finding in findings} & {"P003", "P014"}
