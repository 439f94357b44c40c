"""What each finding means and what to do about it: the words behind `speedcheck explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speedcheck.checks import codes

if TYPE_CHECKING:
    from speedcheck.certificate import Severity


@dataclass(frozen=True, slots=True)
class Explanation:
    """A code in words.

    Attributes:
        severities: what a finding with this code can do to its verdict, the gravest first.
        meaning: what was found, and why it matters.
        remedy: what a submitter or a reviewer does about it.
    """

    severities: tuple[Severity, ...]
    meaning: str
    remedy: str


_LOSS = {
    codes.NO_LOSS: Explanation(
        ("unknown",),
        "No run has a loss that counts, so there is no mean to test.",
        "Read the reason beside each run. A log that ends before its final validation does not "
        "count. Submit the logs of complete runs.",
    ),
    codes.TOO_FEW_RUNS: Explanation(
        ("fail",),
        "One run has no standard deviation, so the t-test is not defined. One good loss may be "
        "one good seed.",
        "Plan a record with more runs. If the track's usual spread is known, the message says "
        "how many are likely to be enough.",
    ),
    codes.DIVERGED_RUN: Explanation(
        ("fail",),
        "A run ended at a loss that is not a finite number. It is evidence against the record: "
        "leaving it out would show the mean of the lucky seeds.",
        "Find out why the training diverged, and start a new record with a program that does "
        "not. Keep the log.",
    ),
    codes.EQUAL_LOSSES: Explanation(
        ("fail",),
        "All losses are equal. Runs of different seeds differ in the last digits, so equal ones "
        "are copies of one log, or the seed does not reach the program.",
        "Check that every run has its own log and its own seed, and that the log prints enough "
        "digits.",
    ),
    codes.NOT_SIGNIFICANT: Explanation(
        ("fail",),
        "The mean loss may be below the target, but these runs do not show it at the level that "
        "the track asks for.",
        "Plan a new record with the number of runs that the message names, or train longer. "
        "Do not add runs to this one until the test passes: that certifies records that are not "
        "below the target.",
    ),
    codes.OUTLIER: Explanation(
        ("info",),
        "A loss is far from the others: more than 3.5 in the modified z-score, which is computed "
        "from the median and the median deviation. The run counts all the same.",
        "Check the log for a cause: another machine, another version, a restart. Do not drop the "
        "run.",
    ),
    codes.LENIENT_RULE: Explanation(
        ("fail", "info"),
        "The record is judged by a higher target or a larger alpha than its track asks for. It "
        "fails if record.toml says so, and it is only mentioned if you asked for it.",
        "Remove target and alpha from record.toml, or name the track that they belong to.",
    ),
    codes.LOSS_EXCUSED: Explanation(
        ("info",),
        'The record is of the kind "systems", a pure change of speed. The loss test is shown and '
        "does not count; the speed verdict must pass instead.",
        "Check that the change leaves the mathematics alone, and name the baseline that it is "
        "faster than.",
    ),
    codes.LOSS_COMPARED: Explanation(
        ("info",),
        "The losses beside the baseline's: the difference of the means with its confidence "
        "interval, Welch's test of whether they differ, and two one-sided tests of whether they "
        "are equivalent.",
        "Nothing: the verdict is that of the track's own test. It takes more runs to show that "
        "two losses are equal than to show that one is below the target.",
    ),
    codes.WORSE_LOSS: Explanation(
        ("fail",),
        "A systems record is excused from the loss test because it leaves the loss as it is. The "
        "loss of this one is worse than the baseline's by more than the margin of equivalence.",
        'Find out what the change does to the training, or give the record the kind "model".',
    ),
    codes.KNOWN_SIGMA: Explanation(
        ("info",),
        "The track takes the standard deviation of a loss as known, so p is that of the z-test. "
        "The test passes when the distance from the mean to the target, times the square root of "
        "the number of runs, reaches the track's margin.",
        "Nothing: the message has the figures.",
    ),
    codes.EARLIER_STEP: Explanation(
        ("info",),
        "On a track that counts steps, the documents give losses of an earlier validation than the "
        "last. The verdict is for the last one; the message says what the test gives at the other.",
        "Check which step the record claims. Runs that end there show it clearly.",
    ),
    codes.NON_INFERIOR: Explanation(
        ("info",),
        "A systems record must not make the loss worse. Its runs show that: the upper confidence "
        "limit of the difference to the baseline's mean is below the margin, or runs of equal "
        "seeds have equal losses at every validation.",
        "Nothing.",
    ),
    codes.NOT_NON_INFERIOR: Explanation(
        ("fail",),
        "A systems record must not make the loss worse, and its runs do not show that. The upper "
        "confidence limit of the difference to the baseline's mean is not below the margin.",
        "Run as many seeds as the message names, or pass the loss test of the track.",
    ),
}

_SPEED = {
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
}

_RULES = {
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
}

_PROVENANCE = {
    codes.LEDGER_BROKEN: Explanation(
        ("fail", "warn"),
        "A line of ledger.jsonl does not follow from the one before it (lines were changed, "
        "removed or inserted), or the ledger of a planned record is gone. It is a warning if a "
        "crash tore a line and the chain continues after it.",
        "Restore the ledger as it was written. If that is not possible, run the record again.",
    ),
    codes.RUN_MISSING: Explanation(
        ("fail",),
        "A run was planned and does not count: it failed, was abandoned, never started, or its "
        "log is gone. Records without their bad runs prove nothing.",
        "Finish the record with `speedcheck run --resume`, or put the missing log back.",
    ),
    codes.CLAIMED_WITHOUT_LOGS: Explanation(
        ("fail", "unknown"),
        "Losses are claimed without logs. A figure without its log is not evidence, and logs of "
        "some of the runs may be those of the better runs.",
        "Submit one log for each claimed loss.",
    ),
    codes.INCOMPLETE_LOG: Explanation(
        ("warn",),
        "A log ends before its final validation. Its last line may read like a result, but it "
        "belongs to a model that was not trained to the end. The run does not count.",
        "Replace it with the full log, or declare the run as crashed in record.toml.",
    ),
    codes.DUPLICATE_LOG: Explanation(
        ("warn",),
        "Two logs have the same losses at every validation, or one holds lines of the other: one "
        "run under two names. It counts once, by the log that says most about the run.",
        "Remove the copy, and correct n, mean and p where the README counts it twice.",
    ),
    codes.REPEATED_SEED: Explanation(
        ("warn",),
        "Several counted runs have the same seed and different losses. On GPUs equal seeds can "
        "give different losses, but somebody may also have repeated a seed to get a better one.",
        "Give every run a seed of its own.",
    ),
    codes.MIXED_SOURCE: Explanation(
        ("fail", "warn", "info"),
        "The counted runs come from different programs, so they are not a sample of one. What "
        "differs decides how bad that is. Comments, layout and names of variables change nothing "
        "that runs; a constant may be a path or a learning rate; other code is another program, "
        "and a mean over two programs says nothing about either.",
        "Submit runs of one program, or put the others into a folder of their own.",
    ),
    codes.MIXED_HARDWARE: Explanation(
        ("warn",),
        "The counted runs come from different GPUs or numbers of GPUs. Their losses may agree; "
        "their times cannot be averaged.",
        "Submit runs of one machine, or put the others into a folder of their own.",
    ),
    codes.MIXED_TORCH: Explanation(
        ("warn",),
        "The counted runs come from different versions of PyTorch, whose kernels differ in speed "
        "and in rounding.",
        "Submit runs of one version.",
    ),
    codes.LOG_CHANGED: Explanation(
        ("fail",),
        "A log is not the file whose SHA-256 the ledger noted when the run finished.",
        "Put the original file back. If it is lost, the run is lost with it: run the record again.",
    ),
    codes.NOT_A_RUN: Explanation(
        ("warn", "info"),
        "A file, or a line in it, could not be read as a log and does not count: it is binary, "
        "too large, a link, has no step line, or mentions a validation on a line that is not a "
        "step line. It is only mentioned if the file is not named like the logs, such as a script.",
        "Keep only logs among the logs. If the file is a log, check that it was copied whole.",
    ),
    codes.LOG_NOT_IN_LEDGER: Explanation(
        ("fail",),
        "The folder holds a log that the ledger does not list as a finished run: it comes from "
        "elsewhere.",
        "Move it out of the folder. Only runs that `speedcheck run` started belong to this record.",
    ),
    codes.SOURCE_CHANGED: Explanation(
        ("fail",),
        "The program that a log embeds does not have the SHA-256 that the trainer wrote beside "
        "it: one of the two was edited afterwards.",
        "Put the original log back.",
    ),
    codes.CLAIM_NOT_CONFIRMED: Explanation(
        ("fail",),
        "A claimed figure differs from what the logs give, at the printed precision. The table of "
        "differences shows both.",
        "Correct the figure, or submit the logs that it was computed from.",
    ),
    codes.SEED_CHANGED: Explanation(
        ("fail",),
        "The log of a seed says that it ran another seed.",
        "Find out which log belongs to which seed. If you cannot, run them again.",
    ),
    codes.EARLY_STOP: Explanation(
        ("info",),
        "The runs, or most of them, end at the same step before the announced total and none ends "
        "later. speedcheck takes that as intended, and the loss at that step counts.",
        "Say in the README that the runs stop there on purpose.",
    ),
    codes.DIRTY_TREE: Explanation(
        ("warn",),
        "The program ran with uncommitted changes. The log embeds it as it ran, so the evidence "
        "is complete; but the commit that the log names is not what ran.",
        "Commit before you run the next record.",
    ),
    codes.RECIPE_CHANGED: Explanation(
        ("fail",),
        "A run trained another recipe than record.toml plans.",
        "Give the runs of each recipe a record of their own.",
    ),
    codes.CLAIMS_NOT_READ: Explanation(
        ("unknown",),
        "A document could not be read or is too large, so its figures are neither "
        "confirmed nor refuted.",
        "Compare its figures with the recomputed ones yourself, or shorten it.",
    ),
    codes.UNPLANNED_RUN: Explanation(
        ("fail",),
        "The folder holds more runs than were planned. Adding runs until the test passes makes "
        "it pass too often.",
        "Plan the full number before the first run, in a new record.",
    ),
    codes.NO_LEDGER: Explanation(
        ("unknown",),
        "The bundled trainer wrote these logs, and no ledger says which runs there were, so "
        "nobody knows whether some were left out.",
        "Let `speedcheck run` make the record, and submit its whole folder.",
    ),
    codes.UNLISTED_LOG: Explanation(
        ("warn",),
        "A README or statistics.md lists the losses of the record's runs and leaves out a run that "
        "counts, so its figures may be those of the better runs. The record is judged by all.",
        "Add the run to the list and compute the figures again, or say what the log is of.",
    ),
    codes.SEVERAL_GROUPS: Explanation(
        ("info",),
        "The folder holds several groups of runs: their code or their planned steps differ. One "
        "group is judged, because record.toml declares it or because you asked for it; the runs "
        "of the others do not count.",
        "Look at what the other groups give: the table of groups has n, mean and p of each.",
    ),
    codes.SELECTED_BY_CALLER: Explanation(
        ("info",),
        "You chose with --only, --exclude or --group which runs count; nothing in the folder says "
        "so.",
        "Judge the folder without these options as well before you rely on the verdict.",
    ),
    codes.TOO_MANY_FILES: Explanation(
        ("fail",),
        "The folder holds more than 10,000 files that could be logs, so none of them was read. "
        "The largest known record has 1,500.",
        "Name the folder of one record, and keep only its evidence there.",
    ),
    codes.FILE_REFUSED: Explanation(
        ("fail",),
        "record.toml or ledger.jsonl is a link, not a regular file, or larger than 64 MiB. It was "
        "not read, so what it says about the runs is not known.",
        "Put the file itself into the folder.",
    ),
    codes.NEAR_COPY: Explanation(
        ("fail",),
        "A run equals another one at three or more validations, or at twenty or more step times, "
        "or at as many times shifted by one constant. Two runs do not: one of them was edited.",
        "Submit the logs as the program wrote them.",
    ),
    codes.HIDDEN_RUN: Explanation(
        ("warn",),
        "A document, a program or a line that is not a step line holds the step lines of a whole "
        "run that no log in the folder has. That run is not counted, and it may be a bad one. The "
        "gate closes.",
        "Give the run a log of its own, and declare it under [[excluded]] in record.toml if it is "
        "not part of the sample.",
    ),
    codes.UNDECIDED: Explanation(
        ("fail",),
        "The folder holds several groups of runs: other code, another number of planned steps, or "
        "runs without a program beside runs with one. Nothing says which group is the record, and "
        "speedcheck does not guess.",
        "Declare the sample in record.toml, as the message shows; `speedcheck init FOLDER` "
        "proposes the file. To look at one group, use --group.",
    ),
    codes.ENDS_DIFFER: Explanation(
        ("warn",),
        "The runs end at different steps, and neither a plan nor a budget says where they should "
        "end. Each counts with its last validation. The gate closes.",
        "Name the step in record.toml, as in [sample] at_step = 2860, or the budget in the track.",
    ),
    codes.RESUMED_RUN: Explanation(
        ("warn",),
        "A log continues a run that stopped earlier in the same file. The parts count as one run, "
        "and its time is unknown.",
        "Nothing, if the program really resumed from a checkpoint.",
    ),
    codes.TIMES_CONTRADICT: Explanation(
        ("warn",),
        "The times of a log contradict one another: a final time is before an earlier one, or "
        "train_time and step_avg differ by more than 2 % however step_avg is defined. The gate "
        "closes.",
        "Submit the log as the program wrote it.",
    ),
    codes.DECLARED_EXCLUSION: Explanation(
        ("warn", "info"),
        "record.toml declares that runs are not part of the sample. They are listed with their "
        "role, and the table of groups has their figures. It is a warning where a pattern matches "
        "no log, or where a run declared as crashed reached its end: that run counts.",
        "Check that the role is true.",
    ),
    codes.NOT_A_BASELINE: Explanation(
        ("warn",),
        "record.toml declares runs a baseline or an ablation, but their program, constants, "
        "settings and planned steps equal those of the judged runs. They are runs of the record. "
        "The gate closes.",
        "Count them, or declare them a retiming if somebody else ran the program again.",
    ),
    codes.CRASHES_MATTER: Explanation(
        ("warn",),
        "The record passes only because crashed runs are left out: with each of them at the worst "
        "counted loss the test does not pass, or one crashed after 90 % of its steps. The gate "
        "closes.",
        "Run the crashed seeds again to their end, or more seeds.",
    ),
    codes.OPAQUE_FILE: Explanation(
        ("warn", "info"),
        "The folder holds a file whose content cannot be searched for runs: an archive (warn; the "
        "gate closes) or another binary file (info).",
        "Unpack the archive, or let the base's speedcheck.toml allow it under artifacts.",
    ),
    codes.LEDGER_TIMES: Explanation(
        ("warn",),
        "The ledger and a log disagree by more than ten minutes on when the run started. The gate "
        "closes.",
        "Submit the ledger and the logs as `speedcheck run` wrote them.",
    ),
    codes.TEXT_DIFFERS: Explanation(
        ("warn",),
        "Running text states a figure that the logs do not give. Prose can mean many things, so "
        "this is for a reader to judge and never makes a record fail.",
        "Compare both figures, which are in the table of differences, and correct the text.",
    ),
    codes.SEEDS_DIFFER: Explanation(
        ("warn",),
        "The rows of a table name other seeds than the logs.",
        "Correct the table, or submit the logs of these seeds.",
    ),
    codes.SEEDS_UNKNOWN: Explanation(
        ("info",),
        "Some logs print no seed, so repeated seeds cannot be found among them.",
        "Let the program print its seed into the log.",
    ),
}

EXPLANATIONS = _LOSS | _SPEED | _RULES | _PROVENANCE
