"""What gives each code about how fast the record is: a function that makes the folder.

It takes (build, make_log, make_published_log), and returns the folder, or the folder and the
options to judge it with.
"""

from __future__ import annotations

from speedcheck.checks import codes
from tests.speedcheck.checks.code_folders import beside, slower

SPEED = {
    codes.SPEED_COMPARED: lambda b, log, pub: beside(b),
    codes.SLOWER: lambda b, log, pub: slower(b, pub),
    codes.NOT_FASTER: lambda b, log, pub: beside(b),
    codes.NOT_COMPARABLE: lambda b, log, pub: beside(b, n_gpus=1),
    codes.WEAK_BASELINE: lambda b, log, pub: beside(b, [3.29, 3.291, 3.292]),
    codes.WORKER_TIMES: lambda b, log, pub: b.record(
        header={"worker": {"id": "5f0c", "order": 2}},
    ),
    codes.SIDE_BY_SIDE: lambda b, log, pub: b.record(header={"side_by_side": 4}),
    codes.OUTSIDE_CLOCK: lambda b, log, pub: b.record(details={"outside_clock_s": 60.5}),
    codes.CLOCK_BEYOND_WALL: lambda b, log, pub: b.record(details={"outside_clock_s": -0.1}),
    codes.NO_TIMES: lambda b, log, pub: b.folder({"a.log": "s:9 tel:3.2\n"}),
    codes.NO_BASELINE: lambda b, log, pub: b.published(),
}
