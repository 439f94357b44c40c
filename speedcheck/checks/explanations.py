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
        remedy: what to do, for whoever submits or judges the record.
    """

    severities: tuple[Severity, ...]
    meaning: str
    remedy: str


_LOSS = {
    codes.NO_LOSS: Explanation(
        ("unknown",),
        "No run has a loss that counts, so there is no mean to test.",
        "Look at the reason beside each run: a log that ends before its final validation is not "
        "counted. Submit the logs of complete runs.",
    ),
    codes.TOO_FEW_RUNS: Explanation(
        ("fail",),
        "One run has no standard deviation, so the t-test is not defined. One good loss may be "
        "one good seed.",
        "Plan a record with more runs. The message says how many are likely to be enough, where "
        "the track's usual spread is known.",
    ),
    codes.DIVERGED_RUN: Explanation(
        ("fail",),
        "A run ended at a loss that is not a finite number. It is evidence against the record: "
        "leaving it out would show the mean of the lucky seeds.",
        "Find out why the training diverged, and start a new record with a program that does "
        "not. The log must stay.",
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
        "Adding runs to this one until the test passes is no test: it certifies records that "
        "are not below the target.",
    ),
    codes.OUTLIER: Explanation(
        ("info",),
        "A loss lies far from the others: more than 3.5 in the modified z-score, which takes the "
        "median and the median deviation. It is counted all the same.",
        "Read the log for what went otherwise: another machine, another version, a restart. "
        "Never drop it.",
    ),
    codes.LENIENT_RULE: Explanation(
        ("fail", "info"),
        "The record is judged by a higher target or a larger alpha than its track asks for. It "
        "fails where the submission itself says so in record.toml, and is a remark where the "
        "caller of this command does.",
        "Remove target and alpha from record.toml, or name the track that they belong to.",
    ),
    codes.LOSS_EXCUSED: Explanation(
        ("info",),
        'The record is of the kind "systems", a pure change of speed, so the loss test is shown '
        "and does not count. The speed verdict has to pass instead.",
        "Check that the change really leaves the mathematics alone, and name the baseline that "
        "it is faster than.",
    ),
    codes.LOSS_COMPARED: Explanation(
        ("info",),
        "The losses beside the baseline's: the difference of the means with its confidence "
        "interval, Welch's test of whether they differ, and two one-sided tests of whether they "
        "are equivalent.",
        "Nothing: the verdict is that of the track's own test. To show that two losses are equal "
        "takes more runs than to show that one is below the target.",
    ),
    codes.WORSE_LOSS: Explanation(
        ("fail",),
        "A systems record is excused from the loss test since it leaves the loss as it is. This "
        "one makes it worse than the baseline's, by more than the margin of equivalence.",
        "Find out what the change does to the training, or enter the record as one of the kind "
        '"model".',
    ),
    codes.KNOWN_SIGMA: Explanation(
        ("info",),
        "The track takes the standard deviation of a loss as known, and so p is that of the "
        "z-test. It passes when the distance of the mean to the target, times the square root of "
        "the number of runs, reaches the track's margin.",
        "Nothing: the message has the figures.",
    ),
    codes.EARLIER_STEP: Explanation(
        ("info",),
        "On a track that counts steps, the documents give losses of an earlier validation than the "
        "last one. The verdict is of the last; this is what the track's test shows at the other.",
        "See which step the record claims. Runs that end there show it without a doubt.",
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
        "No counted run says how long it trained, so nothing can be said about speed.",
        "Submit logs with train_time on their validation lines.",
    ),
    codes.NO_BASELINE: Explanation(
        ("unknown",),
        "The times were compared with nothing: they depend on the machine, and say by themselves "
        "neither faster nor slower.",
        "Name the record to compare with, as baseline in record.toml or as an option.",
    ),
    codes.SPEED_COMPARED: Explanation(
        ("info",),
        "The times, or on a track that counts steps the steps, beside the baseline's. Runs that "
        "were made in turn on one machine are compared in pairs, others by Welch's test.",
        "Nothing: what the figures show is said by the other findings.",
    ),
    codes.SLOWER: Explanation(
        ("fail",),
        "The record is slower than its baseline, and not by chance; or it takes more steps.",
        "Compare with the right baseline, or find out what costs the time.",
    ),
    codes.NOT_FASTER: Explanation(
        ("fail", "unknown"),
        "The runs do not show that the record is faster than its baseline. A systems record, "
        "which claims nothing else, fails; for another the question stays open.",
        "Time more runs of both, in turn on one machine: pairs show small gains best.",
    ),
    codes.NOT_COMPARABLE: Explanation(
        ("unknown",),
        "The times of the two records were made on different hardware or on different machines, "
        "or it is not known on which. Nodes of one kind differ by more than a record gains.",
        "Time both programs on one machine, and name that run of the baseline.",
    ),
    codes.WEAK_BASELINE: Explanation(
        ("unknown", "info"),
        "The baseline misses the target of the track itself. To be faster than a program that "
        "does not learn enough shows nothing for a systems record.",
        "Name a baseline that is a record of this track.",
    ),
}

_RULES = {
    codes.WRONG_HARDWARE: Explanation(
        ("warn",),
        "A run used other hardware than the track asks for. Its loss counts; its time says "
        "nothing about the track's.",
        "Repeat the timing on the track's hardware, or leave the time out of the claim.",
    ),
    codes.WRONG_VALIDATION: Explanation(
        ("fail",),
        "The loss is a mean over another number of validation tokens than the track asks for, so "
        "it cannot be compared with the target.",
        "Validate on the first 10,485,760 tokens of the validation shard, or on what the track "
        "of the record says.",
    ),
    codes.HARDWARE_UNKNOWN: Explanation(
        ("unknown",),
        "The log names no GPU or no number of GPUs, so nobody can say whether the time belongs "
        "to the track.",
        "Let the program print nvidia-smi and its world size into the log.",
    ),
    codes.SOURCE_NOT_READ: Explanation(
        ("unknown",),
        "The program was not read: no log embeds it, or it could not be parsed. Whether it keeps "
        "the rules of the track is not known.",
        "Let each log begin with the full text of the program that wrote it, and read it "
        "yourself until then.",
    ),
    codes.COMPILER_SETTING: Explanation(
        ("fail", "warn"),
        "The program changes torch._inductor.config or torch._dynamo.config, or sets an "
        "environment variable TORCHINDUCTOR_*. The rule against it came after the first records, "
        "so it is a warning, and a failure where the baseline's program does without it.",
        "Remove the setting and time the record again.",
    ),
    codes.COMPILE_OPTION: Explanation(
        ("fail", "warn"),
        "The program gives torch.compile more than the model, dynamic=False and fullgraph=True. "
        "It is a warning, and a failure where the baseline's program does without it.",
        "Remove the option and time the record again.",
    ),
    codes.SETTING_UNCLEAR: Explanation(
        ("unknown",),
        "The program may set up the compiler here, and that cannot be told without running it: "
        "it executes text, or passes a module of configuration on.",
        "Read the line that is named. A submitter can write the setting out, or leave it out.",
    ),
    codes.VALIDATION_UNKNOWN: Explanation(
        ("unknown",),
        "How many tokens the loss is a mean over cannot be told: the program has no val_tokens, "
        "or it is not one constant.",
        "Read how the program validates. A submitter can write `val_tokens = 10485760`.",
    ),
    codes.DATA_LOADER_DIFFERS: Explanation(
        ("warn",),
        "The functions and classes that load the data are others than the baseline's. A loader "
        "may be faster; it must not choose its tokens.",
        "Compare the definitions that are named: the tokens must be the same, in the same order.",
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
        "removed or put in), or the ledger of a planned record is gone. It is a warning where a "
        "crash tore a line and the chain goes on behind it.",
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
        "Losses are claimed for which no log is there. A figure without its log is no evidence, "
        "and logs that are a part of the runs may be the better part.",
        "Submit one log for each claimed loss.",
    ),
    codes.INCOMPLETE_LOG: Explanation(
        ("warn",),
        "A log ends before its final validation. Its last line may read like a result, but it "
        "belongs to a model that was not trained to the end. The run is not counted.",
        "Replace it by the full log, or say in the README why the run was stopped.",
    ),
    codes.DUPLICATE_LOG: Explanation(
        ("warn",),
        "Two logs have the same losses at every validation, or one holds lines of the other: one "
        "run under two names. It is counted once, by the log that tells most of what ran.",
        "Remove the copy, and correct n, mean and p where they counted it twice.",
    ),
    codes.REPEATED_SEED: Explanation(
        ("warn",),
        "Several counted runs have one seed and different losses. Of two attempts the better one "
        "may have been chosen; on GPUs equal seeds give different losses.",
        "Give every run a seed of its own.",
    ),
    codes.MIXED_SOURCE: Explanation(
        ("fail", "warn", "info"),
        "The counted runs come from different programs, so they are no sample of one. How grave "
        "that is depends on what differs. Comments, layout and names of variables change nothing "
        "that runs; another constant may be a path or a learning rate; other code is another "
        "program, and the test of a mean over two programs says nothing about either.",
        "Submit runs of one program, or keep the others in a folder of their own.",
    ),
    codes.MIXED_HARDWARE: Explanation(
        ("warn",),
        "The counted runs come from different GPUs or numbers of GPUs. Their losses may agree; "
        "their times cannot be averaged.",
        "Submit runs of one machine, or keep the others in a folder of their own.",
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
        "A file, or a line of one, could not be read as a log and is not counted: it is binary, "
        "too large, a link, has no step line, or tells of a validation on a line that is none. It "
        "is a remark where a whole file is not named as the logs are, such as a script.",
        "Keep only logs among the logs. If it is one, check that it was copied whole.",
    ),
    codes.LOG_NOT_IN_LEDGER: Explanation(
        ("fail",),
        "A log stands in the folder that the ledger does not know as a finished run: it was put "
        "there from elsewhere.",
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
        "A claimed figure, recomputed from the logs, comes out otherwise at the digits that were "
        "printed. The claims list both.",
        "Correct the figure, or submit the logs that it was computed from.",
    ),
    codes.SEED_CHANGED: Explanation(
        ("fail",),
        "The log of a seed says that it ran another seed.",
        "Find out which log belongs to which seed; if that cannot be told, run them again.",
    ),
    codes.EARLY_STOP: Explanation(
        ("info",),
        "The runs, or most of them, end at the same step before the announced total and none ends "
        "later. That is taken as meant, and the loss at that step counts.",
        "Say in the README that the runs stop there on purpose.",
    ),
    codes.DIRTY_TREE: Explanation(
        ("warn",),
        "The program ran with changes that no commit holds. The log embeds it as it ran, so the "
        "evidence is complete; the commit that the log names is not what ran.",
        "Commit before the runs of the next record.",
    ),
    codes.RECIPE_CHANGED: Explanation(
        ("fail",),
        "A run trained another recipe than record.toml plans.",
        "Keep the runs of each recipe in a record of their own.",
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
        "nobody can tell whether some were left out.",
        "Let `speedcheck run` make the record, and submit its whole folder.",
    ),
    codes.UNLISTED_LOG: Explanation(
        ("warn",),
        "A README or statistics.md lists the losses of the record's runs and leaves out a run that "
        "counts, so its figures may be those of the better runs. The record is judged by all.",
        "Add the run to the list and compute the figures again, or say what the log is of.",
    ),
    codes.SEVERAL_GROUPS: Explanation(
        ("warn", "info"),
        "The folder holds runs of several kinds: another number of steps, other code, logs that "
        "are named as a comparison, or programs of which the README lists one's losses alone. One "
        "kind is judged as the record, and the others do not count. It is a warning where nothing "
        "but their number, or such a list, tells them apart.",
        "Give each kind a folder of its own, list the record's losses in its README, or choose "
        "with --group, --only or --exclude.",
    ),
    codes.SELECTED_BY_CALLER: Explanation(
        ("info",),
        "Whoever called chose with --only, --exclude or --group which runs count; nothing in the "
        "folder says so.",
        "Judge the folder without these options too before you rely on the verdict.",
    ),
    codes.TOO_MANY_FILES: Explanation(
        ("fail",),
        "The folder holds more than 10,000 files that could be logs. None of them was read: the "
        "largest record has 1,500, and nobody looks through so many.",
        "Name the folder of one record, and keep in it what belongs to its evidence.",
    ),
    codes.FILE_REFUSED: Explanation(
        ("fail",),
        "record.toml or ledger.jsonl is a link, no regular file or larger than 64 MiB. It was not "
        "read, and what it says of the runs is not known.",
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
