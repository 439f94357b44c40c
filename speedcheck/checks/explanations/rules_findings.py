"""The findings of the verdict on rules, explained."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.explanations.explanation import Explanation

RULES = {
    codes.WRONG_HARDWARE: Explanation(
        ("warn",),
        "A run used other hardware than the track asks for. Its loss counts; its time cannot be "
        "compared with the track's records.",
        "Repeat the timing on the track's hardware, or leave the time out of the claim.",
    ),
    codes.WRONG_VALIDATION: Explanation(
        ("fail",),
        "The loss is a mean over another number of validation tokens than the track asks for, so "
        "it cannot be compared with the target.",
        "Validate on the tokens that the track names; on the NanoGPT tracks these are the first "
        "10,485,760 of the validation shard.",
    ),
    codes.HARDWARE_UNKNOWN: Explanation(
        ("unknown",),
        "The log does not name the GPU or the number of GPUs, so nobody can say whether the time "
        "belongs to the track.",
        "Let the program print nvidia-smi and its world size into the log.",
    ),
    codes.SOURCE_NOT_READ: Explanation(
        ("unknown",),
        "The program was not read: no log embeds it, or it could not be parsed. So nobody knows "
        "whether it follows the rules of the track.",
        "Let each log begin with the full text of the program that wrote it. Until then, read the "
        "program yourself.",
    ),
    codes.COMPILER_SETTING: Explanation(
        ("fail", "warn"),
        "The program changes torch._inductor.config or torch._dynamo.config, or sets an "
        "environment variable TORCHINDUCTOR_*. The first records are older than the rule against "
        "it, so it is a warning, and a failure if the baseline's program does without it.",
        "Remove the setting and time the record again.",
    ),
    codes.COMPILE_OPTION: Explanation(
        ("fail", "warn"),
        "The program gives torch.compile more than the model, dynamic=False and fullgraph=True. "
        "It is a warning, and a failure if the baseline's program does without it.",
        "Remove the option and time the record again.",
    ),
    codes.SETTING_UNCLEAR: Explanation(
        ("unknown",),
        "The program may change compiler settings here. Only running it would show: it executes "
        "text, or passes a configuration module on.",
        "Read the line that the message names. If you are the submitter, write the setting out or "
        "remove it.",
    ),
    codes.VALIDATION_UNKNOWN: Explanation(
        ("unknown",),
        "Nobody can tell how many tokens the loss is a mean over: the program has no val_tokens, "
        "or it is not one constant.",
        "Read how the program validates. If you are the submitter, write `val_tokens = 10485760`.",
    ),
    codes.DATA_LOADER_DIFFERS: Explanation(
        ("warn",),
        "The functions and classes that load the data differ from the baseline's. A loader may be "
        "faster; it must not choose its tokens.",
        "Compare the definitions that the message names: the tokens must be the same, in the same "
        "order.",
    ),
    codes.WRONG_DATA: Explanation(
        ("fail",),
        "The log prints another number of training shards than the track asks for.",
        "Run the program on the data of the track.",
    ),
    codes.OVER_BUDGET: Explanation(
        ("fail",),
        "A run used more than the track allows: training time, evaluation time or bytes of the "
        "artifact.",
        "Shorten the run, or enter a track that allows it.",
    ),
    codes.BUDGET_UNKNOWN: Explanation(
        ("unknown",),
        "The track limits what a run may use, and the log does not say how much it used.",
        "Print the figure into the log, in a form that the track's log_patterns read.",
    ),
    codes.ENVIRONMENT_UNKNOWN: Explanation(
        ("unknown",),
        "Environment variables such as TORCHINDUCTOR_* set up the compiler from outside of the "
        "program, and neither the logs nor a ledger say which ones the runs had.",
        "Make the runs with `speedcheck run`: the bundled trainer writes the environment of each "
        "run into its log, and the ledger notes that of any other script. The gate does not ask "
        "for it, since the published logs do not say it.",
    ),
    codes.ENVIRONMENT_SETTING: Explanation(
        ("warn",),
        "A run had an environment variable TORCHINDUCTOR_* or TORCHDYNAMO_*, which sets up the "
        "compiler from outside of the program. Its log or the ledger says so.",
        "Unset the variable and time the record again.",
    ),
}
