from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.runtime import conditions

LOGGED = ("TORCHINDUCTOR_", "TORCHDYNAMO_", "TORCH_", "PYTORCH_", "NCCL_", "CUDA_", "TRITON_")
SECRETS = ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_TORCH_TOKEN", "TORCH", "CUDAX")


@given(name=st.one_of(st.sampled_from(SECRETS), st.text(min_size=1)))
def test_a_variable_is_logged_exactly_where_its_name_has_one_of_the_prefixes(name: str) -> None:
    assert (conditions.logged_variables({name: "1"}) != {}) == name.startswith(LOGGED)


@pytest.mark.parametrize("prefix", LOGGED)
def test_every_prefix_is_logged_with_the_value_as_given(prefix: str) -> None:
    name, value = f"{prefix}X", "a=1\n  b"
    assert conditions.logged_variables({name: value}) == {name: value}


def test_bytes_that_are_not_utf8_are_shown_as_escapes() -> None:
    assert conditions.logged_variables({"CUDA_X": "a\udcff"}) == {"CUDA_X": "a\\udcff"}


def test_the_command_is_the_one_typed_without_the_path_of_python() -> None:
    words = conditions.command(["/somewhere/bin/python3.11", "-m", "trainer", "--recipe", "tiny"])
    assert words == ["python", "-m", "trainer", "--recipe", "tiny"]
    assert conditions.conditions({})["argv"] == conditions.command(sys.orig_argv)


@pytest.mark.parametrize("variable", ["TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"])
def test_a_cache_is_warm_where_it_holds_anything(tmp_path: Path, variable: str) -> None:
    folders = {name: tmp_path / name for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")}
    variables = {name: str(folder) for name, folder in folders.items()}
    folders[variable].mkdir()
    assert conditions.compile_cache(variables) == "cold"
    (folders[variable] / "kernel").touch()
    assert conditions.compile_cache(variables) == "warm"
