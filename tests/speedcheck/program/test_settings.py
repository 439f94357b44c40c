"""Which settings of the compiler a program makes, in every way in which it can write them."""

from __future__ import annotations

import pytest

from speedcheck.program import read_program
from speedcheck.program.settings import MAX_SETTINGS

INDUCTOR, DYNAMO = "torch._inductor.config", "torch._dynamo.config"
TUNING = f"{INDUCTOR}.coordinate_descent_tuning"
GLOBAL = """\
def f():
    global c
    from torch._inductor import config as c
def g():
    c.coordinate_descent_tuning = True
"""
NONLOCAL = """\
def f():
    from torch._inductor import config as c
    def g():
        def h():
            nonlocal c
            c.coordinate_descent_tuning = True
"""


def settings(text: str) -> list[tuple[str, str, int, bool]]:
    program = read_program(text)
    assert program.problem == ""
    return [(s.name, s.value, s.line, s.certain) for s in program.settings]


def options(text: str) -> list[tuple[str, str, bool]]:
    program = read_program(text)
    assert program.problem == ""
    return [(s.name, s.value, s.certain) for s in program.compile_options]


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch._inductor.config.coordinate_descent_tuning = True",
        "import torch as t\nt._inductor.config.coordinate_descent_tuning = True",
        "import torch._inductor.config\ntorch._inductor.config.coordinate_descent_tuning = True",
        "import torch._inductor.config as config\nconfig.coordinate_descent_tuning = True",
        "from torch._inductor import config\nconfig.coordinate_descent_tuning = True",
        "from torch._inductor import config as c\nc.coordinate_descent_tuning = True",
        "from torch import _inductor\n_inductor.config.coordinate_descent_tuning = True",
        "import torch\nc = torch._inductor; d = c.config\nd.coordinate_descent_tuning = True",
        "import torch\nif (c := torch._inductor.config):\n c.coordinate_descent_tuning = True",
        "from torch._inductor import config as c\nif x: c.coordinate_descent_tuning = True",
        "from torch._inductor import config\nconfig.patch({'coordinate_descent_tuning': True})",
        "from torch._inductor import config\nconfig.patch('coordinate_descent_tuning', True)",
        "from torch._inductor import config as c\nwith c.patch(coordinate_descent_tuning=True): f",
        "from torch._inductor.config import patch\nf = patch(coordinate_descent_tuning=True)(f)",
        GLOBAL,
        NONLOCAL,
    ],
)
def test_a_setting_of_inductor_is_found_by_any_name(text):
    ((name, value, line, certain),) = settings(text)
    assert (name, value, certain) == (TUNING, "True", True)
    assert "coordinate_descent_tuning" in text.split("\n")[line - 1]


def test_a_module_that_a_function_also_uses_as_a_parameter_is_still_that_module():
    text = """\
import torch._inductor.config as config
config.coordinate_descent_tuning = True
class Block:
    def __init__(self, config):
        config.width = 768
        self.attention = Attention(config)
"""
    assert settings(text) == [(TUNING, "True", 2, True)]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (
            "import torch\ntorch._dynamo.config.compiled_autograd = True",
            "compiled_autograd",
            "True",
        ),
        ("import torch\ntorch._dynamo.config.cache_size_limit += 64", "cache_size_limit", ""),
        ("import torch\ntorch._dynamo.config.limit: int = 64", "limit", "64"),
        ("import torch\nfor torch._dynamo.config.a in (1, 2): pass", "a", ""),
        ("import torch\ndel torch._dynamo.config.a", "a", ""),
        ("import torch\ntorch._dynamo.config.a['k'] = 3", "a", "3"),
        ("import torch\ntorch._dynamo.config.a.b.append(3)", "a.b.append(...)", ""),
        ("import torch\ntorch._dynamo.config.load_config(d)", "load_config(...)", ""),
        ("import torch\ntorch._dynamo.config.patch(**d)", "<...>", "d"),
        ("import torch\nsetattr(torch._dynamo.config, key, 4)", "<key>", "4"),
    ],
)
def test_a_setting_of_dynamo_is_found_with_its_value(text, name, value):
    ((found, shown, line, certain),) = settings(text)
    assert (found, shown, line) == (f"{DYNAMO}.{name}", value, 2)
    # Only an assignment of a literal says for certain what is set.
    assert certain == (f" = {value}" in text and "for" not in text)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n# torch._inductor.config.coordinate_descent_tuning = True",
        "x = '''torch._inductor.config.coordinate_descent_tuning = True'''",
        "import torch\nprint(torch._inductor.config.coordinate_descent_tuning)",
        "import torch\nprint(torch._inductor.config)\nx = getattr(torch._dynamo.config, 'verbose')",
        "from torch._inductor import config\nold = config.shallow_copy_dict()",
        "import torch\ntorch._dynamo.reset()\ntorch._inductor.cudagraph_mark_step_begin()",
        "config.coordinate_descent_tuning = True",
        "from mine._inductor import config\nconfig.coordinate_descent_tuning = True",
        "from ._inductor import config\nconfig.coordinate_descent_tuning = True",
        "model.eval()\nexecutor.exec('x')",
        "import logging\nlogging.getLogger('torch._dynamo').setLevel(logging.ERROR)",
        "import warnings\nwarnings.filterwarnings('ignore', module='torch._inductor')",
        "def eval(x): return x\neval('x')",
        "import os\nos.environ['PYTORCH_CUDA_ALLOC_CONF'] = 'expandable_segments:True'",
        "import os\nos.environ['TORCHINDUCTOR_CACHE_DIR'] = '/cache'",
        "import os\nos.environ['TORCHINDUCTOR_FX_GRAPH_CACHE'] = '1'",
        "import os\nprint(os.environ.get('TORCHINDUCTOR_A'), os.getenv('TORCHINDUCTOR_B'))",
        "import os\nif 'TORCHINDUCTOR_MAX_AUTOTUNE' in os.environ: raise SystemExit",
        "import os\nprint(os.environ['TORCHINDUCTOR_MAX_AUTOTUNE'])",
    ],
)
def test_what_sets_nothing_is_not_found(text):
    assert settings(text) == []


@pytest.mark.parametrize(
    "statement",
    [
        "os.environ['TORCHINDUCTOR_MAX_AUTOTUNE'] = '1'",
        "os.environ.setdefault('TORCHINDUCTOR_MAX_AUTOTUNE', '1')",
        "os.putenv('TORCHINDUCTOR_MAX_AUTOTUNE', '1')",
        "os.environ.update({'A': '2', 'TORCHINDUCTOR_MAX_AUTOTUNE': '1'})",
        "os.environ.update(TORCHINDUCTOR_MAX_AUTOTUNE='1')",
    ],
)
def test_an_environment_variable_of_inductor_is_a_setting(statement):
    assert settings(f"import os\n{statement}") == [("TORCHINDUCTOR_MAX_AUTOTUNE", "'1'", 2, True)]
    module = statement.replace("os.environ", "environ")
    if module != statement:
        found = settings(f"from os import environ\n{module}")
        assert found == [("TORCHINDUCTOR_MAX_AUTOTUNE", "'1'", 2, True)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("exec(open('configurator.py').read())", "exec(...)"),
        ("x = eval(text)", "eval(...)"),
        ("import torch\ntune(torch._inductor.config)", INDUCTOR),
        ("import torch\nself.config = torch._inductor.config", INDUCTOR),
        ("import importlib\nc = importlib.import_module('torch._dynamo.config')", DYNAMO),
        ("import torch\ngetattr(torch, '_inductor').config.a = 1", "torch._inductor"),
        (
            "import os\nk = max(['TORCHINDUCTOR_MAX_AUTOTUNE'])",
            "TORCHINDUCTOR_MAX_AUTOTUNE",
        ),
        (
            "import torch\nconfig = mine\nif a: config = torch._dynamo.config\nconfig.a = 1",
            f"{DYNAMO}.a",
        ),
    ],
)
def test_what_may_be_a_setting_and_cannot_be_told_is_uncertain(text, name):
    ((found, _, _, certain),) = settings(text)
    assert (found, certain) == (name, False)


def test_no_program_gives_more_settings_than_a_reader_can_use():
    text = "import torch\n" + "torch._dynamo.config.a = 1\ntorch.compile(f, mode='x')\n" * 200
    assert len(settings(text)) == len(options(text)) == MAX_SETTINGS


def test_a_long_value_is_shown_by_its_beginning():
    value = "'" + "é" * 5_000 + "'"
    ((_, shown, _, _),) = settings(f"import torch\ntorch._dynamo.config.a = {value}")
    assert shown == value[:57] + "..."
    ((_, shown, _, _),) = settings("import torch\ntorch._dynamo.config.a = [\n 1,\n]")
    assert shown == "[ ..."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import torch\nm = torch.compile(m, mode='max-autotune')", [("mode", "'max-autotune'")]),
        (
            "import torch\n@torch.compile(options={'a': 1}, dynamic=True)\ndef f(): pass",
            [("options", "{'a': 1}"), ("dynamic", "True")],
        ),
        ("from torch import compile\ncompile(m, backend='eager')", [("backend", "'eager'")]),
        ("import torch\nc = torch.compile\nc(m, mode='m')", [("mode", "'m'")]),
        ("import torch\ntorch.compiler.compile(m, anything=0)", [("anything", "0")]),
        (
            "import torch, functools as f\nc = f.partial(torch.compile, mode='m', dynamic=False)",
            [("mode", "'m'")],
        ),
    ],
)
def test_an_option_of_torch_compile_is_found_by_any_name(text, found):
    assert options(text) == [(name, value, True) for name, value in found]


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nm = torch.compile(m)",
        "import torch\nm: object = torch.compile(m, dynamic=False, fullgraph=True)",
        "import torch\nm = torch.compile(model=m, fullgraph=False, dynamic=None)",
        "import torch\nm = torch.compile(m, mode='default', backend='inductor', options={})",
        "import torch\n@torch.compile\ndef f(): pass",
        "import torch\n@torch.compile(dynamic=False, fullgraph=True)\ndef f(): pass",
        "import re\npattern = re.compile('x', flags=0)",
        "code = compile(text, 'name', mode='exec')",
        "import triton\ntriton.compile(source, options=o)",
        "model.compile(optimizer=o)",
    ],
)
def test_what_the_rules_allow_is_no_option(text):
    assert options(text) == []


@pytest.mark.parametrize("call", ["torch.compile(m, **kwargs)", "m.compile(mode='x')"])
def test_options_that_cannot_be_told_are_uncertain(call):
    ((_, _, certain),) = options(f"import torch\nm = GPT()\n{call}")
    assert not certain
