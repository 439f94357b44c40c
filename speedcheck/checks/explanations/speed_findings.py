"""The findings of the verdict on speed, explained."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.explanations.explanation import Explanation

SPEED = {
    codes.NO_TIMES: Explanation(
        ("unknown",),
        "No counted run says how long it trained, so its speed is not known.",
        "Submit logs with train_time on their validation lines.",
    ),
    codes.NO_BASELINE: Explanation(
        ("unknown",),
        "The times were not compared with a baseline. They depend on the machine, so they do not "
        "show by themselves whether the record is faster.",
        "Name the record to compare with, as baseline in record.toml or as an option.",
    ),
    codes.SPEED_COMPARED: Explanation(
        ("info",),
        "The times beside the baseline's, or the steps on a track that counts steps. Runs that "
        "alternate on one machine are compared in pairs, others by Welch's test.",
        "Nothing: the other findings say what the figures show.",
    ),
    codes.SLOWER: Explanation(
        ("fail",),
        "The record is slower than its baseline by more than chance explains, or it takes more "
        "steps.",
        "Compare with the right baseline, or find out what costs the time.",
    ),
    codes.NOT_FASTER: Explanation(
        ("fail", "unknown"),
        "The runs do not show that the record is faster than its baseline. A systems record "
        "claims nothing else and fails; for another record the question stays open.",
        "Time more runs of both, alternating on one machine: pairs show small gains best.",
    ),
    codes.NOT_COMPARABLE: Explanation(
        ("unknown",),
        "The times of the two records come from different hardware or machines, or the logs do "
        "not say from which. Equal nodes differ by more than a record gains.",
        "Time both programs on one machine, and name that run of the baseline.",
    ),
    codes.WEAK_BASELINE: Explanation(
        ("unknown", "info"),
        "The baseline itself misses the target of the track. A systems record shows nothing by "
        "being faster than a program that does not learn enough.",
        "Name a baseline that is a record of this track.",
    ),
    codes.WORKER_TIMES: Explanation(
        ("info",),
        "A worker trained several seeds in one process. The losses are those of separate "
        "processes to the last digit; the times share a process and a thermal state, and the "
        "message says whether they change along the worker.",
        "Nothing if the interval contains 0 and is short compared with the claimed gain; "
        "otherwise time the runs again with `speedcheck run --isolate`.",
    ),
    codes.SIDE_BY_SIDE: Explanation(
        ("unknown",),
        "Several runs trained at the same time on the GPUs of one machine. That changes no loss, "
        "but each run had only a part of the machine, and its neighbours slowed it down.",
        "For the time of a record, run the seeds again without --gpus-per-run.",
    ),
    codes.OUTSIDE_CLOCK: Explanation(
        ("info",),
        "How long the runs took beside the time that they report: start-up, compilation, warm-up "
        "and validation. The ledger says it for each run, and so does the certificate's JSON.",
        "Nothing, as long as all training is inside the clock.",
    ),
    codes.CLOCK_BEYOND_WALL: Explanation(
        ("warn",),
        "A run's own clock shows more time than passed between its start and its end by the "
        "ledger, beyond what the printed digits allow: the clock counts time of an earlier run, "
        "as after a checkpoint, or does not measure time.",
        "Look at how the program computes train_time, and run it again from the start.",
    ),
}
