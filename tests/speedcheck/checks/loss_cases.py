"""What gives each code about how low the loss is: a function that makes the folder.

It takes (build, make_log, make_published_log), and returns the folder, or the folder and the
options to judge it with.
"""

from __future__ import annotations

from speedcheck.checks import codes
from tests.speedcheck.checks.code_folders import (
    NAN,
    SMALL_WORSE,
    beside,
    earlier_step,
    on_frontier,
    systems,
    with_file,
)

LOSS = {
    codes.NO_LOSS: lambda b, log, pub: b.record(last_step=150),
    codes.TOO_FEW_RUNS: lambda b, log, pub: b.published([3.27]),
    codes.DIVERGED_RUN: lambda b, log, pub: b.published([3.27, NAN]),
    codes.EQUAL_LOSSES: lambda b, log, pub: b.published([3.27, 3.27]),
    codes.NOT_SIGNIFICANT: lambda b, log, pub: b.published([3.29, 3.27]),
    codes.OUTLIER: lambda b, log, pub: b.published(
        [3.27, 3.271, 3.272, 3.273, 3.274, 3.275, 3.276, 3.9]
    ),
    codes.LENIENT_RULE: lambda b, log, pub: b.record(plan={"alpha": 0.5}),
    codes.LOSS_EXCUSED: lambda b, log, pub: b.record([9.0, 9.1], plan={"kind": "systems"}),
    codes.LOSS_COMPARED: lambda b, log, pub: beside(b),
    codes.WORSE_LOSS: lambda b, log, pub: systems(b, SMALL_WORSE, [3.261, 3.2615, 3.262, 3.2625]),
    codes.NON_INFERIOR: lambda b, log, pub: systems(b, SMALL_WORSE, SMALL_WORSE),
    codes.NOT_NON_INFERIOR: lambda b, log, pub: systems(b, [3.28, 3.29], SMALL_WORSE),
    codes.KNOWN_SIGMA: lambda b, log, pub: with_file(
        b.published(), "record.toml", 'track = "gpt2-small-steps"'
    ),
    codes.EARLIER_STEP: lambda b, log, pub: earlier_step(b, pub),
    codes.SEQUENTIAL: lambda b, log, pub: b.sequential(),
    codes.NOT_REACHED: lambda b, log, pub: b.sequential([1.29, 1.31, 1.28]),
    codes.NOT_SEQUENTIAL: lambda b, log, pub: with_file(
        b.published(), "record.toml", 'stopping_rule="sequential"'
    ),
    codes.FRONTIER_BEATEN: lambda b, log, pub: on_frontier(b, [1.2, 1.201, 1.202]),
    codes.FRONTIER_UNKNOWN: lambda b, log, pub: on_frontier(b, [1.2, 1.21], None),
    codes.FRONTIER_NOT_BEATEN: lambda b, log, pub: on_frontier(b, [1.249, 1.251]),
    codes.STEP_SCAN: lambda b, log, pub: b.folder(
        {"record.toml": 'track = "gpt2-small-steps"'}
        | {
            f"{i}.txt": pub(val_loss=3.27 + i / 1e4).replace("4.4043", f"{3.275 + i / 1e4:.4f}")
            for i in range(3)
        }
    ),
}
