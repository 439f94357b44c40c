"""Tracks, built in and of a project's own: what they ask for, and where they are found."""

from __future__ import annotations

import json
import math

import pytest
import scipy.stats
import tomli_w

from speedcheck.api import verify
from speedcheck.errors import InputError
from speedcheck.rules.config import load_config, read_config
from speedcheck.rules.tracks import GPT2_MEDIUM, GPT2_SMALL, GPT2_SMALL_STEPS, TINY, TRACKS

STEPS = "gpt2-small-steps"
# What git takes for a repository.
REPOSITORY = {
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/objects/.keep": "",
    ".git/refs/.keep": "",
}


@pytest.fixture
def project(build):
    """Write a project with a configuration and one published record; give the record's folder."""

    def write(tables=None, losses=(3.2777, 3.2795, 3.2784), **top):
        config = tomli_w.dumps(top | {"tracks": tables or {}})
        root = build.folder({"speedcheck.toml": config, **REPOSITORY}, name="project")
        build.published(losses, name="project/records/x")
        return root / "records" / "x"

    return write


def certificate_of(cli, *words):
    result = cli("verify", "--json", *words)
    assert result.err == ""
    return json.loads(result.out)


def test_the_built_in_tracks_ask_for_what_the_competitions_do():
    assert list(TRACKS.values()) == [GPT2_SMALL, GPT2_MEDIUM, GPT2_SMALL_STEPS, TINY]
    for track, target in ((GPT2_SMALL, 3.28), (GPT2_MEDIUM, 2.92)):
        assert (track.target, track.alpha, track.test) == (target, 0.01, "t")
        assert (track.n_gpus, track.gpu, track.val_tokens) == (8, "H100", 10_485_760)
    steps = GPT2_SMALL_STEPS
    assert (steps.target, steps.test, steps.sigma, steps.cost) == (
        3.28,
        "known-sigma",
        0.0013,
        "steps",
    )
    assert (steps.n_gpus, steps.gpu) == (None, None)
    assert steps.alpha == pytest.approx(scipy.stats.norm.sf(0.004 / 0.0013), rel=1e-12)


@pytest.mark.parametrize(
    ("losses", "certified"),
    [
        ([3.2759], True),  # 0.0041 below the target
        ([3.2761], False),
        ([3.278, 3.278], False),  # 0.002 * sqrt(2)
        ([3.278] * 2 + [3.2779, 3.2781], True),  # 0.002 * sqrt(4), exactly the margin
        ([3.27999, 3.29], False),
    ],
)
def test_the_step_count_track_certifies_by_its_margin(build, losses, certified):
    certificate = verify(build.published(losses), track=STEPS)
    reached = (3.28 - sum(losses) / len(losses)) * math.sqrt(len(losses))
    assert (reached > 0.004 - 1e-12) == certified
    assert certificate.certified == certified
    assert (certificate.loss.t, certificate.loss.df) == (None, None)
    assert certificate.loss.p_value == pytest.approx(scipy.stats.norm.cdf(-reached / 0.0013))


def test_the_report_names_the_test_of_a_known_sigma(build, cli):
    shown = " ".join(cli("verify", "--track", STEPS, build.published([3.2759, 3.276])).out.split())
    assert "z-test one-sided p = " in shown
    assert "t-test" not in shown
    assert "L011 known-sigma: z-test with known sigma 0.0013: (target - mean)" in shown


def test_the_step_count_track_says_how_many_runs_it_would_take(build, findings_of):
    folder = build.published([3.2791, 3.2789])
    (finding,) = findings_of(folder, track=STEPS)["L005 not-significant"]
    assert "= 0.001414, at least 0.004 is asked for" in finding.message
    assert "it would take 16 runs, 14 more" in finding.message
    (finding,) = findings_of(build.published([3.281, 3.282]), track=STEPS)["L005 not-significant"]
    assert finding.message.endswith("; the mean is not below the target")


def test_three_equal_losses_are_no_evidence_though_sigma_is_known(build):
    assert not verify(build.published([3.27] * 3, name="three"), track=STEPS).certified
    assert verify(build.published([3.27] * 2, name="two"), track=STEPS).certified


def test_a_folder_that_names_no_track_is_never_judged_by_one_that_its_losses_fit(build):
    assert verify(build.published([2.9, 2.91, 2.905])).track == "gpt2-small"


def test_a_projects_own_track_is_found_above_the_record(project, cli):
    folder = project({"short": {"target": 3.3, "alpha": 0.05}})
    certificate = certificate_of(cli, "--track", "short", folder)
    assert (certificate["track"], certificate["target"], certificate["alpha"]) == (
        "short",
        3.3,
        0.05,
    )
    assert certificate["certified"]
    assert cli("verify", "--track", "gpt2-small", folder).code in (0, 1)


@pytest.mark.parametrize(
    ("losses", "p_side", "code"),
    [((3.29, 3.295, 3.292), "greater", 0), ((3.27, 3.275, 3.272), "greater", 1)],
)
def test_a_track_may_ask_for_more_than_its_target(project, cli, losses, p_side, code):
    folder = project({"up": {"target": 3.28, "direction": "greater"}}, losses, default_track="up")
    certificate = certificate_of(cli, folder)
    test = scipy.stats.ttest_1samp(losses, 3.28, alternative=p_side)
    assert certificate["loss"]["p_value"] == pytest.approx(test.pvalue)
    assert certificate["loss"]["t"] == pytest.approx(test.statistic)
    shown = cli("verify", folder)
    assert shown.code == code
    assert "track up: mean loss > 3.28 at p < 0.01" in " ".join(shown.out.split())
    assert ("is above 3.28" in shown.out) == (code == 0)
    assert ("the mean is not above the target" in " ".join(shown.out.split())) == (code == 1)


def test_one_run_on_a_track_that_asks_for_more_is_told_so(project, findings_of):
    folder = project({"up": {"target": 3.28, "direction": "greater"}}, [3.27], default_track="up")
    (finding,) = findings_of(folder)["L002 too-few-runs"]
    assert finding.message.endswith("and this loss, 3.27, is not above 3.28")


@pytest.mark.parametrize("target", [3.27, 3.29])
def test_a_record_may_not_ease_a_track_of_either_direction(project, findings_of, target):
    for direction, eased in (("less", target > 3.28), ("greater", target < 3.28)):
        folder = project({"own": {"target": 3.28, "direction": direction}}, default_track="own")
        (folder / "record.toml").write_text(f"target = {target}")
        assert ("L007 lenient-rule" in findings_of(folder)) == eased


def test_hardware_of_a_projects_track_is_asked_for(project, findings_of):
    tables = {"a100": {"target": 3.28, "hardware": {"n_gpus": 8, "gpu": "A100"}}}
    found = findings_of(project(tables), track="a100")
    assert "the track asks for 8 x A100" in found["R001 wrong-hardware"][0].message


def test_a_projects_known_sigma_is_judged_as_the_built_in_one(project, cli):
    own = {"target": 3.28, "test": "known-sigma", "sigma": 0.0013, "margin": 0.004, "cost": "steps"}
    folder = project({"own": own})
    ours, built_in = (certificate_of(cli, "--track", name, folder) for name in ("own", STEPS))
    assert ours["loss"] == built_in["loss"]
    assert ours["alpha"] == built_in["alpha"]
    assert ours["verdicts"]["speed"] == built_in["verdicts"]["speed"]


def test_the_default_track_is_that_of_the_configuration(project, cli):
    folder = project({"own": {"target": 3.0}}, default_track="own")
    assert certificate_of(cli, folder)["track"] == "own"
    assert certificate_of(cli, "--track", "gpt2-medium", folder)["track"] == "gpt2-medium"
    (folder / "record.toml").write_text('track = "gpt2-small"')
    assert certificate_of(cli, folder)["track"] == "gpt2-small"


def test_config_names_a_file_anywhere(build, cli):
    config = build.folder({"my.toml": "[tracks.own]\ntarget = 3.0\n"}, name="elsewhere") / "my.toml"
    folder = build.published()
    words = ("--track", "own", "--config", config)
    assert certificate_of(cli, *words, folder)["target"] == 3.0
    assert verify(folder, track="own", config=str(config)).target == 3.0
    assert (
        "gpt2-small" in cli("table", *words, folder).out or cli("table", *words, folder).code == 0
    )


def test_whoever_submits_a_record_brings_no_rule_along(project, cli):
    folder = project({"own": {"target": 3.0}})
    lenient = "[tracks.own]\ntarget = 9.0\n[tracks.mine]\ntarget = 9.0\n"
    (folder / "speedcheck.toml").write_text(lenient)
    (folder.parent / "speedcheck.toml").write_text(lenient)
    assert certificate_of(cli, "--track", "own", folder)["target"] == 3.0
    result = cli("verify", "--track", "mine", folder)
    assert (result.code, "no track is called 'mine'" in result.err) == (2, True)


def test_a_submission_with_subfolders_brings_no_rule_along_either(build, cli):
    build.folder(REPOSITORY, name="project")
    folder = build.published(name="project/records/x/this_pr")
    (folder.parent / "speedcheck.toml").write_text(
        'default_track = "easy"\n[tracks.easy]\ntarget = 9.0\n'
    )
    for named in (folder, folder.parent, folder.parents[1], folder.parents[2]):
        assert certificate_of(cli, named)["track"] == "gpt2-small"


def test_a_configuration_inside_the_record_folder_is_none(build, cli):
    folder = build.published()
    (folder / "speedcheck.toml").write_text("[tracks.mine]\ntarget = 9.0\n")
    (folder / ".git").mkdir()
    assert cli("verify", "--track", "mine", folder).code == 2


def test_the_search_ends_at_the_repository_or_the_working_directory(build, monkeypatch):
    outer = build.folder({"speedcheck.toml": "[tracks.own]\ntarget = 1\n"}, name="outer")
    folder = build.published(name="outer/repository/records/x")
    assert "own" not in load_config(folder).tracks
    monkeypatch.chdir(outer)
    assert "own" in load_config(folder).tracks
    build.folder(REPOSITORY, name="outer/repository")
    assert "own" not in load_config(folder).tracks


@pytest.mark.parametrize(
    "git",
    [
        {".git/config": ""},
        {".git/HEAD": "ref: refs/heads/main\n"},
        {".git": "gitdir: nowhere\n"},
        {".git": "\0"},
    ],
)
def test_a_git_folder_that_is_no_repository_lets_no_submission_bring_its_rule(
    build, cli, monkeypatch, git
):
    build.folder(git | {"speedcheck.toml": "[tracks.mine]\ntarget = 9.0\n"}, name="download/sub")
    folder = build.published(name="download/sub/record")
    monkeypatch.chdir(build.path / "download")
    assert "mine" not in load_config(folder).tracks
    monkeypatch.chdir(build.path / "download" / "sub")
    assert "mine" in load_config(folder).tracks
    monkeypatch.chdir(folder)
    (folder / "speedcheck.toml").write_text("[tracks.mine]\ntarget = 9.0\n")
    assert "mine" not in load_config(folder).tracks
    path = folder / "speedcheck.toml"
    assert certificate_of(cli, "--track", "mine", "--config", path, folder)["target"] == 9.0


def test_a_worktree_is_a_repository(build):
    files = {"main/.git/worktrees/w/HEAD": "ref: refs/heads/w\n"}
    files |= {"w/.git": "gitdir: ../main/.git/worktrees/w\n"}
    build.folder(files | {"w/speedcheck.toml": "[tracks.own]\ntarget = 3.0\n"}, name="project")
    folder = build.published(name="project/w/records/x")
    assert "own" in load_config(folder).tracks


def test_a_linked_configuration_is_refused_unless_it_is_named(project, cli, build):
    folder = project()
    path = folder.parents[1] / "speedcheck.toml"
    real = path.rename(build.path / "real.toml")
    path.symlink_to(real)
    result = cli("verify", folder)
    assert result.code == 2
    assert result.err.endswith("is a link: links are not followed; name the file with --config\n")
    assert cli("verify", "--config", path, folder).code in (0, 1)


WRONG = [
    ({}, "target is missing; give the figure to beat"),
    ({"target": "3"}, "target is '3'; it must be a finite number"),
    ({"target": math.nan}, "target is nan; it must be a finite number"),
    ({"target": 10**400}, "target is 1000"),
    ({"target": 3, "direction": "down"}, 'direction is \'down\'; it must be "less" or "greater"'),
    ({"target": 3, "alpha": 1}, "alpha is 1; it must be a number between 0 and 1"),
    ({"target": 3, "test": "z"}, 'test is \'z\'; it must be "t", "known-sigma" or "welch"'),
    ({"target": 3, "test": "known-sigma"}, "test is 'known-sigma', sigma is missing"),
    ({"target": 3, "sigma": 0.1}, "test is 't', sigma is 0.1"),
    ({"target": 3, "test": "known-sigma", "sigma": 0}, "sigma is 0; it must be a number above 0"),
    ({"target": 3, "margin": 0.1}, "margin is 0.1; give it with sigma, and without alpha"),
    (
        {"target": 3, "test": "known-sigma", "sigma": 1.0, "margin": 2.0, "alpha": 0.1},
        "margin is 2; give it with sigma, and without alpha",
    ),
    (
        {"target": 3, "test": "known-sigma", "sigma": 1e-9, "margin": 1.0},
        "margin is 1; give a margin of a few sigma",
    ),
    ({"target": 3, "cost": "money"}, 'cost is \'money\'; it must be "time" or "steps"'),
    ({"target": 3, "val_tokens": -1}, "val_tokens is -1; it must be a whole number from 0"),
    (
        {"target": 3, "targt": 3},
        "'targt' is not a key of this table; write 'target'; the keys are target, direction",
    ),
    ({"target": 3, "hardware": {"gpu": "H100"}}, "n_gpus or gpu is missing; give both"),
    ({"target": 3, "hardware": "8 H100"}, "hardware is '8 H100'; it must be a table"),
    ({"target": 3, "log_pattern": 7}, "log_pattern is 7; it must be a regular expression"),
    (3, "own is 3; it must be a table"),
]


@pytest.mark.parametrize(("table", "complaint"), WRONG)
def test_a_wrong_value_is_one_line_with_file_table_and_key(project, cli, table, complaint):
    folder = project({"own": table})
    result = cli("verify", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(
        f"speedcheck: error: {folder.parents[1] / 'speedcheck.toml'} [tracks"
    )
    assert complaint in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[tracks.gpt2-small]\ntarget = 9\n", "'gpt2-small' is a built-in track; choose another"),
        ('[tracks."a b"]\ntarget = 9\n', "'a b' cannot name a track"),
        ('[tracks."\\u001b[31m"]\ntarget = 9\n', "cannot name a track"),
        (
            "[track.a]\ntarget = 9\n",
            "'track' is not a key of this table; write 'tracks'; the keys are default_track",
        ),
        ("tracks = 3\n", "tracks is 3; it must be a table"),
        (
            'default_track = "none"\n',
            "default_track: no track is called 'none'; choose one of: gpt2",
        ),
        ("default_track = 1\n", "default_track is 1; it must be the name of a track"),
        ("[tracks", "is not TOML"),
    ],
)
def test_a_wrong_configuration_is_one_line_with_its_file(build, cli, text, complaint):
    path = build.folder({"my.toml": text}, name="config") / "my.toml"
    with pytest.raises(InputError) as caught:
        read_config(path)
    assert str(path) in caught.value.where
    result = cli("verify", "--config", path, build.published())
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
    assert result.err.count("\n") == 1
    assert result.err.isascii()
    assert "\x1b" not in result.err


def test_a_missing_configuration_is_one_line(build, cli):
    result = cli("verify", "--config", "no/such.toml", build.published())
    assert result.code == 2
    assert result.err == "speedcheck: error: no/such.toml: does not exist; name one that does\n"
