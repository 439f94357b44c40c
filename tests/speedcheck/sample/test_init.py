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
