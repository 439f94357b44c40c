"""Judging many records over several processes changes no judgement."""

from __future__ import annotations

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
