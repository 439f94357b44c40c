"""What gives each code about the rules of the track: a function that makes the folder.

It takes (build, make_log, make_published_log), and returns the folder, or the folder and the
options to judge it with.
"""

from __future__ import annotations

from speedcheck.checks import codes
from tests.speedcheck.checks.code_folders import track, with_baseline

RULES = {
    codes.WRONG_HARDWARE: lambda b, log, pub: b.published(n_gpus=1),
    codes.WRONG_VALIDATION: lambda b, log, pub: b.record(plan={"track": "gpt2-small"}),
    codes.HARDWARE_UNKNOWN: lambda b, log, pub: b.folder({"a.log": "s:9 tel:3.2\n"}),
    codes.SOURCE_NOT_READ: lambda b, log, pub: b.published(script="import torch:\n"),
    codes.COMPILER_SETTING: lambda b, log, pub: b.published(
        script="import torch\ntorch._inductor.config.a = 1\n"
    ),
    codes.COMPILE_OPTION: lambda b, log, pub: b.published(
        script="import torch\ntorch.compile(f, mode='m')\n"
    ),
    codes.SETTING_UNCLEAR: lambda b, log, pub: b.published(script="import torch\nexec(text)\n"),
    codes.VALIDATION_UNKNOWN: lambda b, log, pub: b.published(script="import torch\n"),
    codes.DATA_LOADER_DIFFERS: lambda b, log, pub: with_baseline(
        b.published(script="class DataLoader: size = 1\n"),
        b.published(script="class DataLoader: size = 2\n", name="baseline"),
    ),
    codes.WRONG_DATA: lambda b, log, pub: (
        b.folder({"a.txt": "train_shards:9\nval:3.1\n"}),
        track(b, "train_shards = 8", r"train_shards:(?P<train_shards>\d+)|val:(?P<val_loss>\S+)"),
    ),
    codes.OVER_BUDGET: lambda b, log, pub: (
        b.folder({"a.txt": "val:3.1 ms:9000\n"}),
        track(b, "limits = { train_s = 8 }", r"val:(?P<val_loss>\S+) ms:(?P<train_time_ms>\d+)"),
    ),
    codes.BUDGET_UNKNOWN: lambda b, log, pub: (
        b.folder({"a.txt": "val:3.1\n"}),
        track(b, "limits = { train_s = 8 }", r"val:(?P<val_loss>\S+)"),
    ),
    codes.ENVIRONMENT_UNKNOWN: lambda b, log, pub: b.published(),
    codes.ENVIRONMENT_SETTING: lambda b, log, pub: b.record(
        header={"environment": {"TORCHINDUCTOR_MAX_AUTOTUNE": "1"}},
        plan={"track": "gpt2-small"},
    ),
}
