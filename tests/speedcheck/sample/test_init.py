"""`speedcheck init` proposes a record.toml and says why."""

from __future__ import annotations

from speedcheck.api import verify
from speedcheck.records.record_toml import read_plan

OTHER = "import torch\nval_tokens = 10_485_760\ntorch.relu(1)\n"


def test_a_folder_of_one_group_is_declared_whole(build, cli):
    folder = build.published()
    before = verify(folder)
    result = cli("init", folder)
    assert (result.code, result.err) == (0, "")
    assert "the only group" in result.out
    after = verify(folder)
    assert (after.certified, after.loss) == (before.certified, before.loss)


def test_a_folder_with_a_baseline_is_decided_by_the_proposal(build, cli, published_log_text):
    folder = build.published()
    (folder / "old").mkdir()
    for index in range(2):
        text = published_log_text(val_loss=3.29 + index / 1000, script=OTHER)
        (folder / "old" / f"{index}.txt").write_text(text)
    (folder / "cut.txt").write_text(published_log_text(val_loss=3.9, last_step=700))
    result = cli("init", folder)
    assert result.code == 0
    plan = read_plan(folder / "record.toml")
    assert [(entry.logs, entry.role) for entry in plan.excluded] == [
        (("old/*.txt",), "baseline"),
        (("cut.txt",), "crashed"),
    ]
    certificate = verify(folder)
    assert (certificate.certified, certificate.loss.n) == (True, 6)
    assert certificate.selection.started == 7


def test_an_existing_record_toml_stays_as_it_is(build, cli):
    folder = build.published()
    (folder / "record.toml").write_text("")
    result = cli("init", folder)
    assert (result.code, result.out) == (2, "")
    assert "exists already; edit it" in result.err
    assert (folder / "record.toml").read_text() == ""


def test_a_folder_without_a_complete_run_is_one_error(build, cli):
    assert cli("init", build.published([3.27], last_step=700)).code == 2
    assert cli("init", build.path / "nothing").code == 2


def test_the_proposal_counts_complete_runs_and_names_several_programs(
    build, cli, published_log_text, script_text
):
    folder = build.published()
    (folder / "05.txt").write_text(published_log_text(val_loss=3.279, last_step=700))
    (folder / "04.txt").write_text(
        published_log_text(val_loss=3.2775, script=script_text + "# another comment\n")
    )
    out = cli("init", folder).out
    assert "the only group, 5 runs of 1393 steps, 2 programs of the same code" in out
    assert "[[excluded]] 05.txt: crashed" in out


def test_a_race_is_said_to_need_no_record_toml(cli, make_race):
    result = cli("init", make_race([9.0] * 8, [8.0] * 8))
    assert result.code == 2
    assert "is a race; a race needs no record.toml: speedcheck verify judges it" in result.err


def test_a_log_that_is_too_large_is_said_to_be(build, cli, monkeypatch):
    monkeypatch.setattr("speedcheck.records.record_files.MAX_FILE_BYTES", 1 << 20)
    folder = build.folder({"big.txt": "x" * ((1 << 20) + 1)})
    for command in ("init", "verify"):
        assert "(big.txt: is larger than 1 MiB)" in cli(command, folder).err
