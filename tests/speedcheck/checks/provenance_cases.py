"""What gives each code about the evidence: a function that makes the folder.

It takes (build, make_log, make_published_log), and returns the folder, or the folder and the
options to judge it with.
"""

from __future__ import annotations

from speedcheck.checks import codes
from tests.speedcheck.checks.code_folders import (
    declaring,
    excluded,
    ledger_at,
    ledger_edited,
    near_copy,
    planned_late,
    step_lines,
    with_file,
    with_linked_plan,
    with_many_files,
    without_log,
)

PROVENANCE = {
    codes.STOPPING_CHANGED: lambda b, log, pub: b.record(plan={"stopping_rule": "sequential"}),
    codes.EXTENDED: lambda b, log, pub: planned_late(b),
    codes.LEDGER_COURSE: lambda b, log, pub: b.record(endings={3: ("started", "finished") * 2}),
    codes.TEXT_DIFFERS: lambda b, log, pub: with_file(
        b.published(), "README.md", "Mean val_loss 3.2711 (6 runs)\n"
    ),
    codes.SEEDS_DIFFER: lambda b, log, pub: with_file(
        b.record([1.1, 1.2, 1.15]),
        "README.md",
        "| seed | val_loss |\n|-|-|\n| 7 | 1.1000 |\n| 8 | 1.2000 |\n| 9 | 1.1500 |\n",
    ),
    codes.LEDGER_BROKEN: lambda b, log, pub: ledger_edited(b.record()),
    codes.RUN_MISSING: lambda b, log, pub: without_log(b.record(), "seed-001.txt"),
    codes.CLAIMED_WITHOUT_LOGS: lambda b, log, pub: b.folder(
        {"record.toml": "[published]\nlosses = [3.2]"}
    ),
    codes.INCOMPLETE_LOG: lambda b, log, pub: b.record(last_step=150),
    codes.DUPLICATE_LOG: lambda b, log, pub: b.folder({"a.txt": pub(), "b.txt": pub()}),
    codes.REPEATED_SEED: lambda b, log, pub: b.folder({"a.txt": log(), "b.txt": log(val_loss=1.0)}),
    codes.MIXED_SOURCE: lambda b, log, pub: with_file(
        b.published(script="import os\nx = 1\n"), "9.txt", pub(script="import os\nx = 2\n")
    ),
    codes.MIXED_HARDWARE: lambda b, log, pub: with_file(
        b.published(), "9.txt", pub(val_loss=3.2, n_gpus=1)
    ),
    codes.MIXED_TORCH: lambda b, log, pub: with_file(
        b.published(), "9.txt", pub(val_loss=3.2, torch="2.9.0")
    ),
    codes.LOG_CHANGED: lambda b, log, pub: with_file(
        b.record(), "logs/seed-000.txt", log(val_loss=1.0)
    ),
    codes.NOT_A_RUN: lambda b, log, pub: with_file(b.published(), "a.txt", "words"),
    codes.LOG_NOT_IN_LEDGER: lambda b, log, pub: with_file(
        b.record(), "logs/b.txt", log(seed=9, val_loss=1.0)
    ),
    codes.SOURCE_CHANGED: lambda b, log, pub: b.record(stated_sha256="ab" * 32),
    codes.CLAIM_NOT_CONFIRMED: lambda b, log, pub: b.folder(
        {"record.toml": '[published]\nlosses = [3, 4]\np = "0.01"'}
    ),
    codes.SEED_CHANGED: lambda b, log, pub: b.record(logs={0: log(seed=9)}),
    codes.EARLY_STOP: lambda b, log, pub: b.published(last_step=1000),
    codes.DIRTY_TREE: lambda b, log, pub: b.record(clean=False),
    codes.RECIPE_CHANGED: lambda b, log, pub: b.record(recipe="another"),
    codes.CLAIMS_NOT_READ: lambda b, log, pub: with_file(
        b.published(), "README.md", "p=0.5\n" * 2**18
    ),
    codes.SEVERAL_GROUPS: lambda b, log, pub: declaring(
        with_file(b.published(), "9.txt", pub(val_loss=3.2, steps=1750)),
        '[sample]\nlogs = ["00.txt"]\n',
    ),
    codes.UNDECIDED: lambda b, log, pub: with_file(
        b.published(), "9.txt", pub(val_loss=3.2, steps=1750)
    ),
    codes.NEAR_COPY: lambda b, log, pub: b.folder(near_copy(pub)),
    codes.HIDDEN_RUN: lambda b, log, pub: with_file(
        b.published(), "README.md", step_lines((9, 18, 4.5, 1), (18, 18, 3.5, 2))
    ),
    codes.ENDS_DIFFER: lambda b, log, pub: b.folder(
        {"a.log": "s:9 tel:3.2\n", "b.log": "s:8 tel:3.3\n"}
    ),
    codes.RESUMED_RUN: lambda b, log, pub: b.folder(
        {
            "a.txt": step_lines((0, 9, 10.1, 0), (3, 9, 5.1, 3), (6, 9, 4.1, 6))
            + step_lines((3, 9, 5.2, 0), (9, 9, 3.2, 6))
        }
    ),
    codes.TIMES_CONTRADICT: lambda b, log, pub: b.folder(
        {"a.txt": step_lines((50, 99, 4.1, 90), (99, 99, 3.2, 80))}
    ),
    codes.DECLARED_EXCLUSION: lambda b, log, pub: declaring(
        with_file(b.published(), "9.txt", pub(val_loss=3.2, steps=1750)),
        excluded("9.txt", "baseline"),
    ),
    codes.NOT_A_BASELINE: lambda b, log, pub: declaring(
        b.published(), excluded("00.txt", "baseline")
    ),
    codes.CRASHES_MATTER: lambda b, log, pub: declaring(
        with_file(b.published(), "9.txt", pub(val_loss=3.2, last_step=1390)),
        excluded("9.txt", "crashed"),
    ),
    codes.OPAQUE_FILE: lambda b, log, pub: b.folder(
        {"a.txt": pub(), "more.zip": b"PK\x03\x04 and so on"}
    ),
    codes.LEDGER_TIMES: lambda b, log, pub: ledger_at(b.record(), "2026-11-21T19:30:00Z"),
    codes.SEEDS_UNKNOWN: lambda b, log, pub: b.folder(
        {"a.txt": log(program="import os\n"), "b.txt": pub(steps=300, script="import os\n")}
    ),
    codes.SELECTED_BY_CALLER: lambda b, log, pub: (b.published(), {"exclude": ["00*"]}),
    codes.NO_LEDGER: lambda b, log, pub: b.folder(
        {"a.txt": log(), "b.txt": log(seed=1, val_loss=1.0)}
    ),
    codes.UNLISTED_LOG: lambda b, log, pub: with_file(
        b.published([3.271, 3.272, 3.273]), "README.md", "losses = [3.271, 3.272]"
    ),
    codes.TOO_MANY_FILES: lambda b, log, pub: with_many_files(b.published()),
    codes.FILE_REFUSED: lambda b, log, pub: with_linked_plan(b.published()),
    codes.UNPLANNED_RUN: lambda b, log, pub: with_file(b.published(), "record.toml", "runs = 5"),
}
