"""Judging many records over several processes changes no judgement."""

from __future__ import annotations

import signal
import threading

import pytest

from speedcheck import InputError, many
from speedcheck.rules.rule import Overrides


@pytest.mark.parametrize("fewest", [1, 100])
def test_certificates_and_complaints_come_in_order_however_they_are_computed(
    build, losses, monkeypatch, fewest
):
    monkeypatch.setattr(many, "FEWEST_FOR_PROCESSES", fewest)
    monkeypatch.setattr(many, "available_cpus", lambda: 2)
    folders = [
        build.record(losses, name="good"),
        build.folder({"record.toml": "seeds = 'x'"}, name="broken"),
        build.published(name="published"),
    ]
    good, broken, published = many.verify_folders(folders, Overrides())
    assert (good.record, good.certified) == ("good", True)
    assert isinstance(broken, InputError)
    assert "record.toml" in str(broken)
    assert published.record == "published"
    assert good.loss.mean == pytest.approx(sum(losses) / len(losses))


@pytest.mark.parametrize(
    ("folders", "cpus", "starts"), [(16, 2, True), (15, 2, True), (14, 2, False), (16, 1, False)]
)
def test_processes_start_early_only_where_there_may_be_enough_records(
    tmp_path, monkeypatch, folders, cpus, starts
):
    started = []
    monkeypatch.setattr(many, "available_cpus", lambda: cpus)
    monkeypatch.setattr(many, "_context", lambda: started.append(True))
    for number in range(folders):
        (tmp_path / str(number)).mkdir()
    # A file is not a record, and neither is what does not exist.
    (tmp_path / "README.md").write_text("")
    many.expect_records([tmp_path])
    assert bool(started) is starts
    many.expect_records([tmp_path / "README.md", tmp_path / "nowhere"])
    assert len(started) == starts


def test_processes_start_with_interrupts_blocked_and_none_is_lost():
    def start():
        with many._interrupts_blocked():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")
        done.append("more")

    done = []
    with pytest.raises(KeyboardInterrupt):
        start()
    assert done == ["all of it"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_thread_that_no_interrupt_reaches_judges_as_well():
    def judge():
        with many._interrupts_blocked():
            done.append(threading.current_thread())

    done = []
    thread = threading.Thread(target=judge)
    thread.start()
    thread.join()
    assert done == [thread]


def test_folders_of_which_the_selection_leaves_nothing_are_no_error_beside_others(build, cli):
    above = build.published(name="above/this_pr").parent
    build.published(name="above/baseline")
    result = cli("verify", "--only", "this_pr/*", above)
    assert (result.code, result.err) == (
        0,
        "speedcheck: note: no log of baseline is left by --only 'this_pr/*': not judged\n",
    )
    assert cli("verify", "--only", "that_pr/*", above).code == 2
