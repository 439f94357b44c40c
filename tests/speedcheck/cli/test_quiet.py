"""`--quiet`: the verdict alone, in one line, with the exit code of the command as it is."""

from __future__ import annotations

import pytest

A = [9.61, 9.72, 9.58, 9.66, 9.63, 9.70, 9.59, 9.64]
B = [10.02, 9.95, 10.01, 9.93, 10.04, 9.98, 10.03, 10.0]


@pytest.fixture
def folders(build, losses, make_race):
    build.record(name="good")
    build.record([loss + 0.5 for loss in losses], name="bad")
    make_race(A, B)
    return build.path


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("compare good bad", 3),
        ("compare race", 0),
        ("report good --png pictures", 0),
        ("report race --png pictures", 0),
    ],
)
def test_it_prints_the_first_line_of_what_is_printed_otherwise(
    cli, folders, monkeypatch, command, code
):
    if command.startswith("report"):
        pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    monkeypatch.chdir(folders)
    whole, quiet = cli(*command.split()), cli(*command.split(), "-q")
    assert (whole.code, quiet.code) == (code, code)
    assert len(whole.out.splitlines()) > 1
    assert quiet.out == whole.out.splitlines(keepends=True)[0]
    assert quiet.err == ""


def test_verify_names_each_record_and_each_race(cli, folders, monkeypatch):
    monkeypatch.chdir(folders)
    result = cli("verify", "--quiet", "good", "bad")
    assert result.code == 1
    good, bad = result.out.splitlines()
    assert good.startswith("good: CERTIFIED: mean loss")
    assert bad.startswith("bad: NOT CERTIFIED: p = 1 is not below")
    race = cli("verify", "-q", "race")
    assert (race.code, race.err) == (0, "")
    assert race.out.startswith("race: BETTER: A is 0.354 s faster")
    assert len(race.out.splitlines()) == 1


def test_a_file_or_json_is_written_all_the_same(cli, folders, monkeypatch):
    monkeypatch.chdir(folders)
    assert cli("compare", "race", "-q", "--json").out == cli("compare", "race", "--json").out
    assert cli("verify", "good", "-q", "--json").out == cli("verify", "good", "--json").out
