"""Runs without logs, documents about them, and what comparing the two gives."""

from __future__ import annotations

import pytest

from speedcheck.certificate import JudgedRun
from speedcheck.checks.document_claims import check_documents
from speedcheck.claims import document_claims
from speedcheck.logs import Environment, LogFile, Run, Validation
from speedcheck.records.record_folder import Record
from speedcheck.rules.tracks import Track

NATS = Track("nats", 3.28, 0.01, None)
BITS = Track("bits", 1.2, 0.01, None, measure=("val_bpb", "bpb"))
# scipy.stats.ttest_1samp(LOSSES, 3.28, alternative="less").pvalue is 0.000671.
LOSSES = (3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779)
BPB = (1.1192, 1.1189, 1.1200)
OTHERS = (3.2761, 3.2752, 3.2769, 3.2757, 3.2766, 3.2748)


def pair(index, loss, *, seconds=None, group="A", exclusion=None, seed=None, earlier=()):
    """A run and what was decided of it, as the logs and the sample would give them."""
    time_ms = None if seconds is None else seconds * 1000
    steps = [(0, 10.8), *earlier, (1000, loss)]
    validations = tuple(Validation(step, 1000, x, time_ms, None, 1, {}) for step, x in steps)
    run = Run(
        log=f"{index}.txt",
        index=0,
        format="modded",
        validations=validations,
        last_step=1000,
        total_steps=1000,
        environment=Environment(),
        header=None,
        source_sha256=None,
        source_span=None,
        diverged=False,
        stopped=None,
        peak_memory_mib=None,
        step_repeats=0,
        printed_seed=seed,
    )
    judged = JudgedRun(
        log=run.log,
        run=0,
        seed=seed,
        val_loss=loss,
        train_time_ms=time_ms,
        final_step=1000,
        total_steps=1000,
        complete=True,
        counted=exclusion is None,
        reason="",
        gpu=None,
        n_gpus=None,
        torch=None,
        source_sha256=None,
        exclusion=exclusion,
        group=group,
    )
    return run, judged


def pairs(losses=LOSSES, **options):
    return [pair(index, loss, **options) for index, loss in enumerate(losses)]


@pytest.fixture
def read(tmp_path):
    """Compare documents, given by their names or as a README, with runs."""

    def compare(documents, runs=None, track=NATS, logs=()):
        files = {"README.md": documents} if isinstance(documents, str) else documents
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        runs = pairs() if runs is None else runs
        known = tuple(LogFile(run.log, None, 0, (run,), ()) for run, _ in runs if run.log in logs)
        record = Record(tmp_path, "r", None, None, known, (), ())
        return document_claims(record, runs, track)

    return compare


def found(documents):
    """Return the codes and severities of what is found."""
    return {(f.code[:4], f.severity) for f in check_documents(documents)}


def statuses(documents):
    return [(claim.what, claim.status) for claim in documents.claims]


def listed(values, name="losses"):
    return f"```\n{name} = [{', '.join(f'{value:.4f}' for value in values)}]\n```\n"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


REFUTED, WARNED = ("P014", "fail"), ("P038", "warn")
