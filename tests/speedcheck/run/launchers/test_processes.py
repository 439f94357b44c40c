"""Processes of a campaign are found and ended by the mark in their environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speedcheck.run.launchers.child import Child
from speedcheck.run.launchers.processes import end_processes, find_processes, mark_of
from tests.speedcheck.run.waiting import wait_for

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc")

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# A child that leaves a grandchild in a session of its own, and is gone.
LEAVE = f"import subprocess; subprocess.Popen({SLEEP!r}, start_new_session=True)"


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "record"
    end_processes(mark_of(tmp_path / "record"))


def test_a_process_is_found_by_its_record_with_its_id_and_command(folder):
    child = Child(SLEEP, folder=folder, environment={})
    wait_for(lambda: find_processes(mark_of(folder)))
    (found,) = find_processes(mark_of(folder))
    assert found.command.endswith("import time; time.sleep(600)")
    os.kill(found.pid, 9)
    child.wait(20)
    assert child.poll() == -9
    assert find_processes(mark_of(folder)) == []


def test_what_a_process_left_behind_in_another_session_is_ended_with_it(folder):
    child = Child([sys.executable, "-c", LEAVE], folder=folder, environment={})
    child.wait(20)
    assert child.poll() == 0
    wait_for(lambda: find_processes(mark_of(folder)))
    child.stop()
    assert find_processes(mark_of(folder)) == []


def test_stopping_one_child_leaves_the_others_of_the_record(folder):
    one, other = (Child(SLEEP, folder=folder, environment={}) for _ in range(2))
    wait_for(lambda: len(find_processes(mark_of(folder))) == 2)
    one.terminate()
    one.stop()
    assert other.poll() is None
    assert len(find_processes(mark_of(folder))) == 1
    assert len(end_processes(mark_of(folder))) == 1
    other.wait(20)
    assert other.poll() == -9


def test_processes_of_another_record_are_left_alone(folder, tmp_path):
    environment = os.environ | dict([mark_of(tmp_path / "other")])
    with subprocess.Popen(SLEEP, env=environment) as stranger:
        wait_for(lambda: find_processes(mark_of(tmp_path / "other")))
        assert end_processes(mark_of(folder)) == []
        assert stranger.poll() is None
        stranger.kill()
