"""Judging many records over several processes changes no judgement."""

from __future__ import annotations

import signal
import threading

import pytest

from speedcheck import InputError, many
from speedcheck.rule import Overrides


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


@pytest.mark.parametrize(("fewest", "begins"), [(2, True), (3, False)])
def test_what_takes_long_begins_early_only_where_many_records_may_be(
    build, monkeypatch, fewest, begins
):
    monkeypatch.setattr(many, "FEWEST_FOR_PROCESSES", fewest)
    monkeypatch.setattr(many, "available_cpus", lambda: 2)
    begun = []
    monkeypatch.setattr(many, "_context", lambda: begun.append(True))
    above = build.published(name="above/a").parent
    build.published(name="above/b")
    many.prepare([above, above / "a", above / "missing"])
    assert bool(begun) == begins


def test_an_interrupt_waits_until_the_processes_have_begun():
    def begin():
        with many._uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")
        done.append("more")

    done = []
    with pytest.raises(KeyboardInterrupt):
        begin()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with many._uninterrupted():
        pass


def test_a_thread_that_no_interrupt_reaches_judges_as_well():
    def judge():
        with many._uninterrupted():
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
        "speedcheck: note: --only and --exclude leave no log of baseline: not judged\n",
    )
    assert cli("verify", "--only", "that_pr/*", above).code == 2
