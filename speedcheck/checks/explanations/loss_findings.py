"""The findings of the verdict on loss, explained."""

from __future__ import annotations

from speedcheck.checks import codes
from speedcheck.checks.explanations.explanation import Explanation

LOSS = {
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
        'The record is of the kind "systems", a pure speed change. The loss test is shown and '
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
    codes.SEQUENTIAL: Explanation(
        ("info",),
        "The record was planned to stop by the anytime-valid test. E is the evidence against a "
        "mean at the target, taken in the planned order of the seeds. It allows a look after "
        "every run, and the record is certified at the first run with E at 1 / alpha or above.",
        "Nothing: the message has the figures. Runs after that one count in mean and sd only.",
    ),
    codes.NOT_REACHED: Explanation(
        ("fail",),
        "The record was planned to stop by the anytime-valid test, and E has not reached 1 / alpha "
        "within the completed runs.",
        "Continue with `speedcheck run --resume --out FOLDER`. Past the planned maximum add "
        "--max-seeds with a larger number: this test allows it.",
    ),
    codes.NOT_SEQUENTIAL: Explanation(
        ("fail",),
        "record.toml asks for the anytime-valid test, which needs a ledger that says the order of "
        "the seeds, and a track with a t-test against a fixed target.",
        "Submit the ledger that `speedcheck run --until-certified` wrote, or plan a fixed number "
        "of runs.",
    ),
    codes.FRONTIER_BEATEN: Explanation(
        ("info",),
        "The track asks for a better mean than that of the best certified record, the frontier, by "
        "more than the track's improvement: a one-sided Welch test.",
        "Nothing. The frontier was chosen for its figure, so its true mean is probably worse than "
        "it looks; the message has its own 95 % interval.",
    ),
    codes.FRONTIER_UNKNOWN: Explanation(
        ("unknown",),
        "The track asks for a better mean than that of the best certified record, and no such "
        "record of at least 2 runs is known.",
        "Name it with --baseline, or as baseline in record.toml. The gate takes it from the "
        "base. The first record of a track has nothing to beat: a maintainer merges it.",
    ),
    codes.FRONTIER_NOT_BEATEN: Explanation(
        ("fail",),
        "The runs do not show a mean that is better than that of the best certified record by more "
        "than the track's improvement.",
        "Plan a new record with the number of runs that the message names, or train better. Do not "
        "add runs to this one until the test passes.",
    ),
    codes.STEP_SCAN: Explanation(
        ("info",),
        "On a track that counts steps, the test at each validation step that all runs have in "
        "common. The verdict is for the last one.",
        "Treat the earliest step that passes as one choice among many looks: chance passes one of "
        "them more often than alpha says. New runs that end there show it clearly.",
    ),
}
