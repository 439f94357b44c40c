"""record.toml: what it holds comes back, and what it should not hold is named."""

from __future__ import annotations

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.errors import InputError, RecordError
from speedcheck.records.record_toml import Plan, Published, read_plan, write_plan

WHOLE = Plan(
    name="a “name” with\nodd\tcharacters \\ \x7f",
    date="2026-11-30",
    track="tiny",
    target=1.5,
    alpha=0.001,
    kind="systems",
    baseline="../before",
    runs=3,
    seeds=(5, 0, 7),
    recipe="tiny",
)


@pytest.mark.parametrize("plan", [WHOLE, Plan(name="only a name")], ids=["whole", "smallest"])
def test_a_written_plan_is_read_back_as_it_was(tmp_path, plan):
    path = tmp_path / "record.toml"
    write_plan(path, plan)
    assert read_plan(path) == plan


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    target=st.floats(allow_nan=False, allow_infinity=False),
    seeds=st.lists(st.integers(0, 2**63 - 1), unique=True),
)
def test_any_name_target_and_seeds_are_read_back_as_they_were(
    tmp_path_factory, name, target, seeds
):
    path = tmp_path_factory.mktemp("plan") / "record.toml"
    plan = Plan(name=name, target=target, seeds=tuple(seeds))
    write_plan(path, plan)
    assert read_plan(path) == plan


def test_a_plan_is_never_overwritten(tmp_path):
    path = tmp_path / "record.toml"
    write_plan(path, WHOLE)
    with pytest.raises(RecordError, match=r"record\.toml: cannot write \(File exists\)"):
        write_plan(path, Plan(name="another"))
    assert read_plan(path) == WHOLE


def test_an_empty_file_is_a_plan_named_after_its_folder(tmp_path):
    path = tmp_path / "my record" / "record.toml"
    path.parent.mkdir()
    path.touch()
    assert read_plan(path) == Plan(name="my record")


def test_a_date_of_toml_is_read_as_its_text(tmp_path):
    path = tmp_path / "record.toml"
    path.write_text("date = 2025-01-16")
    assert read_plan(path).date == "2025-01-16"


def test_published_figures_keep_the_digits_that_were_printed(tmp_path):
    path = tmp_path / "record.toml"
    path.write_text(
        '[published]\nsource = "a page"\nlosses = [3.28, 3]\np = "0.0100"\n'
        'mean_interval = ["3.10", "3.20"]\n'
    )
    assert read_plan(path).published == Published(
        source="a page", losses=(3.28, 3.0), p="0.0100", mean_interval=("3.10", "3.20")
    )


WRONG = [
    ("name", 7),
    ("name", ""),
    ("date", 20261130),
    ("date", "tomorrow"),
    ("date", True),
    ("track", ["tiny"]),
    ("target", "3.28"),
    ("target", True),
    ("target", float("nan")),
    ("target", float("inf")),
    ("target", 10**400),
    ("alpha", 0),
    ("alpha", 1.0),
    ("alpha", -0.01),
    ("kind", "fast"),
    ("kind", 3),
    ("baseline", 1),
    ("runs", -1),
    ("runs", 2.5),
    ("seeds", 8),
    ("seeds", [0, -1]),
    ("seeds", [0, "1"]),
    ("seeds", [0, 1, 0]),
    ("recipe", False),
    ("stopping_rule", "when it looks good"),
    ("published", "yes"),
]
WRONG_PUBLISHED = [
    ("source", 1),
    ("losses", 3.28),
    ("losses", [3.28, "3.27"]),
    ("losses", [float("nan")]),
    ("p", 0.0001),
    ("p", "about 0.01"),
    ("p", "nan"),
    ("p", "1e400"),
    ("p", "1e-999999999"),
    ("p", "1_0"),
    ("p", "١٢٣"),
    ("mean", ""),
    ("mean_interval", "12"),
    ("mean_interval", ["3.1"]),
    ("std_interval", ["1", "2", "3"]),
    ("time_mean_s", 179.8),
    ("time_std_s", []),
    ("time_mean_min", {}),
]


@pytest.mark.parametrize(
    ("text", "place", "key", "near"),
    [
        ('basline = "x"', "", "basline", "write 'baseline'; "),
        ("[bogus]\nx = 1", "", "bogus", ""),
        ("[[bogus]]\nx = 1", "", "bogus", ""),
        ('[sampel]\nlogs = ["a"]', "", "sampel", "write 'sample'; "),
        ("[sample]\nat_stp = 1", " [sample]", "at_stp", "write 'at_step'; "),
        ("[[exclude]]\nx = 1", "", "exclude", "write 'excluded'; "),
        ("[published]\nlosss = [1]", " [published]", "losss", "write 'losses'; "),
        ("[overrides]\nstep = 1", " [overrides]", "step", "write 'steps'; "),
    ],
)
def test_a_mistyped_key_or_table_is_refused_with_the_nearest_known_one(
    build, cli, text, place, key, near
):
    folder = build.published()
    (folder / "record.toml").write_text(text)
    result = cli("verify", folder)
    assert (result.code, result.out) == (2, "")
    where = f"{folder / 'record.toml'}{place}"
    what = f"{where}: {key!r} is not a key of this table; {near}the keys are "
    assert result.err.startswith(f"speedcheck: error: {what}")


@pytest.mark.parametrize("text", ['description = "warmer"', "pr = 117\n[published]\nhours = 2"])
def test_notes_of_the_authors_own_are_no_mistyped_keys(build, text):
    folder = build.folder({"record.toml": text})
    assert read_plan(folder / "record.toml").name == folder.name


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_named_with_its_file_key_and_remedy(build, cli, key, value):
    folder = build.folder({"record.toml": tomli_w.dumps({key: value})})
    with pytest.raises(InputError) as caught:
        read_plan(folder / "record.toml")
    assert caught.value.where == str(folder / "record.toml")
    assert caught.value.what.startswith(f"{key} is {value!r}"[:40])
    assert caught.value.remedy.startswith("it must be ")
    result = cli("verify", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"speedcheck: error: {caught.value}\n"


@pytest.mark.parametrize(("key", "value"), WRONG_PUBLISHED)
def test_a_wrong_published_figure_is_named_with_its_table_and_key(build, key, value):
    folder = build.folder({"record.toml": tomli_w.dumps({"published": {key: value}})})
    with pytest.raises(InputError) as caught:
        read_plan(folder / "record.toml")
    assert caught.value.where == f"{folder / 'record.toml'} [published]"
    assert caught.value.what.startswith(f"{key} is ")


NOT_TOML = {
    "no value": b"name = ",
    "no equals sign": b"name",
    "no UTF-8": b"\xff\xfe",
    "a key twice": b"a = 1\na = 2",
    "nested too deeply": b"a = " + b"[" * 50_000,
    "a huge number": b"a = " + b"9" * 5000,
    "a huge file": b"#" * (2**20 + 1),
    "a key of many parts": b" a ." * 10_000 + b"a = 1",
}


@pytest.mark.parametrize("content", NOT_TOML.values(), ids=NOT_TOML)
def test_a_file_that_is_not_toml_is_said_in_one_line(build, cli, content):
    folder = build.folder({"record.toml": content})
    result = cli("verify", folder)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"speedcheck: error: {folder / 'record.toml'}: is not TOML (")
    assert result.err.count("\n") == 1


def test_a_very_long_wrong_value_is_shown_in_part(build):
    folder = build.folder({"record.toml": tomli_w.dumps({"target": "9" * 10_000})})
    with pytest.raises(InputError) as caught:
        read_plan(folder / "record.toml")
    assert len(caught.value.what) < 100


def test_an_unknown_track_is_named_with_those_that_are_known(build, cli, published_log_text):
    folder = build.folder(
        {"record.toml": 'track = "gpt2-smal"', "a.txt": published_log_text()}, name="unknown"
    )
    result = cli("verify", folder)
    assert result.code == 2
    assert result.err == (
        f"speedcheck: error: {folder / 'record.toml'}: track: no track is called 'gpt2-smal'; "
        "choose one of: gpt2-small, gpt2-medium, gpt2-small-steps, tiny, airbench, llm.c, mlperf, "
        "nanochat, parameter-golf\n"
    )
