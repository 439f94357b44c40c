"""The findings of the verdict on provenance, explained."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.explanations.explanation import Explanation

PROVENANCE = {
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
        "log is gone; or the log of an attempt that failed is gone. Records without their bad runs "
        "prove nothing.",
        "Put the log of a run that finished or failed back as the run wrote it. Run what has not "
        "finished: `speedcheck run --resume --out FOLDER`.",
    ),
    codes.CLAIMED_WITHOUT_LOGS: Explanation(
        ("fail", "unknown", "warn"),
        "Losses are claimed without logs. A figure without its log is not evidence, and logs of "
        "some of the runs may be those of the better runs. Where running text names more runs than "
        "there are, it is a warning.",
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
        "run under two names. It counts once, with the log that says the most.",
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
        "it, or the program of a record by `speedcheck run --script` differs from the one in "
        "record.toml: one of the two was edited afterwards.",
        "Put the original log or program back.",
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
        "Add the run to the list and compute the figures again, or say which run the log is of.",
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
        "run that no log in the folder has, or a CSV or JSON file holds its losses by steps. That "
        "run is not counted, and it may be a bad one. The gate closes, unless the run is one of a "
        "merged record.",
        "Give the run a log of its own, and declare it under [[excluded]] in record.toml if it is "
        "not part of the sample. A CSV or JSON file of another run can be declared itself.",
    ),
    codes.UNDECIDED: Explanation(
        ("fail",),
        "The folder holds several groups of runs: other code, another number of planned steps, or "
        "runs without a program beside runs with one. Nothing says which group is the record, and "
        "speedcheck does not guess. Or record.toml declares the sample and leaves out runs whose "
        "program cannot be read, which may be of it, or declares logs that are not there.",
        "Declare the sample in record.toml, as the message shows; without that file, `speedcheck "
        "init FOLDER` proposes it. To look at one group, use --group.",
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
        "counted loss the test does not pass, or one crashed after 90 % of its steps or of those "
        "of the counted runs. The gate closes.",
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
    codes.STOPPING_CHANGED: Explanation(
        ("fail",),
        "record.toml names another stopping rule than the ledger, which noted it before the first "
        "run. Which test holds is decided before a result is known.",
        "Restore record.toml, or run a new record by the rule that you want.",
    ),
    codes.EXTENDED: Explanation(
        ("warn",),
        "Runs were added to the plan after one had finished. The test is for a number of runs "
        "that was fixed before: with a look after every run from the 3rd to the 32nd it certifies "
        "7 in 100 records that only equal their target. The gate closes.",
        "Plan a new record with enough runs, or one with `speedcheck run --until-certified`, whose "
        "test allows looks.",
    ),
    codes.LEDGER_COURSE: Explanation(
        ("fail",),
        "The ledger shows what no campaign does: a seed ran again after it had finished, ran "
        "without a plan, or shares its log with another seed. A seed with two results lets "
        "somebody take the better one.",
        "Submit the ledger and the logs as `speedcheck run` wrote them, or run a new record.",
    ),
}
