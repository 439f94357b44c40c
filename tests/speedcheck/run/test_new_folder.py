"""A folder that a start fills: whole, or free for the next start."""

from __future__ import annotations

import pytest

from speedcheck.errors import RecordError
from speedcheck.run.folder_files import write_whole
from speedcheck.run.new_folder import is_cut_start, new_folder


def test_a_folder_is_begun_until_its_plan_is_written(tmp_path):
    folder = tmp_path / "a"
    with new_folder(folder, "plan.toml"):
        assert is_cut_start(folder, "plan.toml")
        write_whole(folder / "plan.toml", "text")
    names = [".gitattributes", "ledger.jsonl", "plan.toml"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert not is_cut_start(folder, "plan.toml")
    with pytest.raises(RecordError, match="the folder exists"), new_folder(folder, "plan.toml"):
        pytest.fail("the folder is taken")


@pytest.mark.parametrize("was_there", [True, False])
def test_a_start_that_fails_leaves_what_was_there_before(tmp_path, was_there):
    folder = tmp_path / "a"
    if was_there:
        folder.mkdir()
    with pytest.raises(FileExistsError), new_folder(folder, "plan.toml"):
        (folder / "ledger.jsonl").mkdir()
    assert folder.exists() == was_there
    assert not was_there or list(folder.iterdir()) == []


def test_two_starts_do_not_clear_one_anothers_folder(tmp_path):
    folder = tmp_path / "a"
    with new_folder(folder, "plan.toml"):
        (folder / "program").mkdir()
        with (
            pytest.raises(RecordError, match="another process starts here; wait"),
            new_folder(folder, "plan.toml"),
        ):
            pytest.fail("the folder is taken")
        assert (folder / "program").is_dir()
        write_whole(folder / "plan.toml", "text")
