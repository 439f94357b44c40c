"""Ways around the rules are never passed over, and what honest programs write is nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.program import read_program

IMPORTS = """\
import builtins, contextlib, functools, importlib, operator, os, posix, subprocess, sys, types
import torch
import torch._inductor.config
from torch import nn
import torch.nn.functional as F
"""
CFG = "cfg = torch._inductor.config\n"

CHANGES_OF_CONFIGURATION = [
    f"{CFG}cfg.x += 1",
    f"{CFG}cfg.x |= True",
    f"{CFG}cfg.x, y = True, 1",
    f"{CFG}[cfg.x, *rest] = values",
    f"{CFG}for cfg.x in [True]: pass",
    f"{CFG}with contextlib.nullcontext(True) as cfg.x: pass",
    f"{CFG}[0 for cfg.x in [True]]",
    f"{CFG}del cfg.x",
    f"{CFG}cfg.x = bool(os.environ.get('TUNE'))",
    f"{CFG}cfg.x = os.environ['TUNE'] == '1'",
    f"{CFG}cfg.x = sys.argv[1] == 'tune'",
    f"{CFG}setattr(cfg, 'x', 1)",
    f"{CFG}setattr(cfg, 'co' + 'ordinate', 1)",
    f"{CFG}delattr(cfg, 'x')",
    f"{CFG}object.__setattr__(cfg, 'x', 1)",
    f"{CFG}type(cfg).__setattr__(cfg, 'x', 1)",
    f"{CFG}cfg.__setattr__('x', 1)",
    f"{CFG}vars(cfg)['x'] = 1",
    f"{CFG}cfg.__dict__['x'] = 1",
    f"{CFG}cfg.__dict__.update(x=1)",
    f"{CFG}d = cfg.__dict__\nd['x'] = 1",
    f"{CFG}cfg._config['x'] = 1",
    f"{CFG}cfg.load_config(saved)",
    f"{CFG}cfg.patch(**options)",
    f"{CFG}cfg.patch(options)",
    f"{CFG}cfg.patch({{key: 1}})",
    f"{CFG}apply(cfg.patch)",
    f"{CFG}use(cfg.triton)",
    f"{CFG}getattr(cfg, 'patch')(x=1)",
    f"{CFG}getattr(cfg, name)(x=1)",
    f"{CFG}operator.setitem(vars(cfg), 'x', 1)",
    f"{CFG}match cfg:\n    case c: c.x = 1",
    f"{CFG}c, = [cfg]\nc.x = 1",
    f"{CFG}for c in (cfg,): c.x = 1",
    f"{CFG}(lambda c=cfg: setattr(c, 'x', 1))()",
    f"{CFG}def f(c=cfg): c.x = 1",
    f"{CFG}def f(): return cfg\nf().x = 1",
    f"{CFG}def f(): yield cfg",
    f"{CFG}{{'c': cfg}}['c'].x = 1",
    f"{CFG}self.cfg = cfg",
    f"{CFG}class A: c = cfg\nA.c.x = 1",
    "class A:\n    from torch._inductor import config as c\nA.c.x = 1",
    "class A:\n    import torch as t\nA.t._inductor.config.x = 1",
    "cfg = (c := torch._inductor.config)\nuse(cfg)",
    "use(torch._inductor)",
    "inductor = [torch._inductor][0]",
    "use(torch)",
    "(torch,)[0]._inductor.config.x = 1",
    "F.torch._inductor.config.x = 1",
    "f()._inductor.config.x = 1",
    "torch._inductor.compile_fx.config.x = f()",
    "importlib.import_module('torch._inductor.config').x = 1",
    "importlib.import_module('torch._ind' + 'uctor.config').x = 1",
    "from importlib import import_module as load\nload(name).x = 1",
    "__import__('torch')._inductor.config.x = f()",
    "__import__(name)",
    "sys.modules['torch._inductor.config'].x = 1",
    "sys.modules[name].x = 1",
    "for m in sys.modules.values(): m.x = 1",
    "m = sys.modules\nm.get('torch')",
    "globals()['torch']",
    "locals()['torch']",
    "vars()['torch']",
    "f.__globals__['torch']",
    "__builtins__.exec(text)",
    "exec(text)",
    "eval(text)",
    "run = exec\nrun(text)",
    "builtins.exec(text)",
    "list(map(exec, [text]))",
    "getattr(builtins, 'ex' + 'ec')(text)",
    "types.FunctionType(compile(text, '', 'exec'), {})()",
    "torch.__dict__['_inductor']",
    "torch.__getattribute__('_inductor')",
    "getattr(torch, '_inductor')",
    "getattr(torch, '_ind' + 'uctor')",
    "operator.attrgetter('_inductor.config')(torch)",
    "from torch._inductor.config import *",
    "from torch import *",
    "torch._dynamo.config = other",
    "torch._inductor.select = other",
    "a = b = c = torch._inductor.config\nuse(c)",
    "c = torch._inductor.config\n" + "".join(f"c = m{i}.a\n" for i in range(9)) + "c.x = 1",
    "c0 = torch._inductor.config\n"
    + "".join(f"c{i + 1} = c{i}\n" for i in range(12))
    + "c12.x = 1",
    "(torch._inductor.config if a else b).x = 1",
    "(a or torch._inductor.config).x = 1",
]
CHANGES_OF_ENVIRONMENT = [
    "os.environ['TORCHINDUCTOR_MAX_AUTOTUNE'] = value",
    "os.environ['TORCHINDUCTOR_' + name] = '1'",
    "os.environ[name] = '1'",
    "for name in names: os.environ[name] = '1'",
    "os.environ['TORCHINDUCTOR_MAX_AUTOTUNE'], x = '1', 2",
    "env = os.environ\nenv[name] = '1'",
    "env = os.environ\nenv |= more",
    "os.environ |= more",
    "os.environ.update(more)",
    "os.environ.update(**more)",
    "os.environ.setdefault(name, '1')",
    "put = os.environ.setdefault\nput(name, '1')",
    "os.putenv(name, '1')",
    "posix.putenv(name, '1')",
    "os.environb[b'TORCHINDUCTOR_MAX_AUTOTUNE'] = b'1'",
    "use(os.environ)",
    "use(os)",
    "subprocess.run(command, env={'TORCHINDUCTOR_MAX_AUTOTUNE': '1'})",
    "subprocess.run(command, env=env)",
    "subprocess.Popen(command, **options)",
    "import subprocess as sp\nsp.check_call(command, env=env)",
    "os.execve(sys.executable, arguments, env)",
    "os.execv(sys.executable, arguments)",
    "os.system('TORCHINDUCTOR_MAX_AUTOTUNE=1 python train.py')",
    "variable = 'TORCHINDUCTOR_MAX_AUTOTUNE'",
    "getattr(os, 'environ')[name] = '1'",
    "getattr(os, name)",
]
OPTIONS_OF_COMPILE = [
    "torch.compile(m, mode=args.mode)",
    "torch.compile(m, mode=os.environ.get('MODE'))",
    "torch.compile(m, dynamic=flag)",
    "torch.compile(m, **options)",
    "@torch.compile(**options)\ndef f(): pass",
    "functools.partial(torch.compile, **options)(m)",
    "functools.partial(torch.compile, mode=mode)",
    "p = functools.partial(torch.compile)\np(m, mode=mode)",
    "(torch.compile if a else b)(m, mode='max-autotune')",
    "c = functools.partial(torch.compile, mode='x') if a else b",
    "c = torch.compile if a else b\nc(m, mode='max-autotune')",
    "getattr(torch, 'compile')(m, mode='max-autotune')",
    "getattr(torch, 'comp' + 'ile')(m, mode='max-autotune')",
    "torch.__dict__['compile'](m, mode='max-autotune')",
    "use(torch.compile)",
    "def f(c=torch.compile): pass",
    "list(map(torch.compile, models))",
    "torch.compile.__kwdefaults__['mode'] = 'max-autotune'",
    "torch.compile.__call__(m, mode='max-autotune')",
    "torch.compile = other",
    "setattr(torch, 'compile', other)",
    "m = GPT()\nm.compile(mode='max-autotune')",
    "m = GPT()\nm.compile(**options)",
    "F.torch.compile(m, mode='max-autotune')",
    "torch._dynamo.optimize('inductor')(m)",
    "torch._inductor.compile(graph, inputs, options)",
    "class A: c = torch.compile\nA.c(m, mode='max-autotune')",
]


@pytest.mark.parametrize(
    "text", CHANGES_OF_CONFIGURATION + CHANGES_OF_ENVIRONMENT + OPTIONS_OF_COMPILE
)
def test_a_way_around_an_assignment_or_a_call_is_never_passed_over_or_certain(text):
    program = read_program(IMPORTS + text)
    assert program.problem == ""
    found = program.settings + program.compile_options
    assert found
    assert not all(setting.certain for setting in found)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("(c := torch._inductor.config).x = True", "torch._inductor.config.x", "True"),
        ("a = b = torch._dynamo.config\nb.x = 64", "torch._dynamo.config.x", "64"),
        ("N = 64\ntorch._dynamo.config.x = N * 2", "torch._dynamo.config.x", "N * 2"),
        ("torch._inductor.config.triton.x = False", "torch._inductor.config.triton.x", "False"),
        ("torch._inductor.config.x: bool = -1", "torch._inductor.config.x", "-1"),
        ("os.environ.update({'TORCHINDUCTOR_A': '1'})", "TORCHINDUCTOR_A", "'1'"),
        ("os.environ |= {'TORCHINDUCTOR_A': '1'}", "TORCHINDUCTOR_A", "'1'"),
        ("functools.partial(torch.compile, mode='x')(m)", "mode", "'x'"),
        ("p = functools.partial(torch.compile)\np(m, mode='x')", "mode", "'x'"),
    ],
)
def test_a_literal_by_another_name_is_read_as_the_setting_that_it_is(text, name, value):
    program = read_program(IMPORTS + text)
    ((found),) = program.settings + program.compile_options
    assert (found.name, found.value, found.certain) == (name, value, True)


HONEST = [
    "os.environ['PYTORCH_CUDA_ALLOC_CONF'] = 'expandable_segments:True'",
    "os.environ.setdefault('OMP_NUM_THREADS', '1')",
    "os.environ.update({'MASTER_ADDR': 'localhost', 'MASTER_PORT': str(port)})",
    "rank = int(os.environ['RANK']); world = int(os.environ.get('WORLD_SIZE', 1))",
    "getenv = os.environ.get\nseed = int(getenv('SEED', '1'))",
    "if 'RANK' in os.environ: pass",
    "for key, value in sorted(os.environ.items()): print(key, value)",
    "print(dict(os.environ))",
    "log({**os.environ})",
    "with open(sys.argv[0]) as f: code = f.read()",
    "code = open(__file__).read()",
    "sys.stdout.flush(); sys.exit(0)",
    "module = sys.modules[__name__]",
    "assert torch.cuda.is_available()",
    "print(torch.__version__, torch.version.cuda, torch.__config__.show())",
    "dtype = getattr(torch, 'bfloat16')",
    "has = hasattr(torch, 'compile')",
    "value = getattr(self, name); setattr(self, name, value)",
    "for k, v in vars(args).items(): print(k, v)",
    "self.__dict__.update(kwargs)",
    "model: nn.Module = torch.compile(model, dynamic=False, fullgraph=True)",
    "model = torch.compile(model, dynamic=False) if flag else model",
    "step = torch.compile(step, fullgraph=not args.debug)",
    "blocks = nn.ModuleList([torch.compile(block) for block in blocks])",
    "@torch.compile\ndef f(x): return x",
    "@torch.compile(dynamic=False, fullgraph=True)\ndef f(x): return x",
    "@(torch.compile if flag else (lambda f: f))\ndef f(x): return x",
    "fast = functools.partial(torch.compile, dynamic=False)\n@fast\ndef f(x): return x",
    "compile_or_not = torch.compile if flag else (lambda f: f)\nm = compile_or_not(m)",
    "@torch._dynamo.disable\ndef f(x): return x",
    "@torch.compiler.disable(recursive=False)\ndef f(x): return x",
    "torch._dynamo.reset(); torch._dynamo.mark_dynamic(x, 0)",
    "torch._inductor.cudagraph_mark_step_begin()",
    "print(torch._dynamo.utils.counters['stats'])",
    "limit = torch._dynamo.config.recompile_limit",
    "print(f'{torch._inductor.config.coordinate_descent_tuning}')",
    "assert not torch._inductor.config.max_autotune",
    "if torch._dynamo.is_compiling(): pass",
    "import logging\nlogging.getLogger('torch._dynamo').setLevel(40)",
    "torch._logging.set_logs(recompiles=True)",
    "smi = subprocess.run(['nvidia-smi'], stdout=subprocess.PIPE, text=True).stdout",
    "subprocess.check_output(['git', 'rev-parse', 'HEAD'], cwd=folder)",
    "model.eval(); module.compile(); pattern = re.compile('x', flags=re.I)",
    "from torch.utils.cpp_extension import load_inline\nk = load_inline(name='k', cuda_sources=s)",
    "kernel = triton.compile(source); k = cute.compile(kernel, x, options='--opt')",
    "class Config:\n    os = 'linux'\n    mode = 'train'\n    compile = True",
    "def train(config, compile=True):\n    config.x = 1\n    return compile",
    "'''Set TORCHINDUCTOR_MAX_AUTOTUNE for exec and eval.'''",
    "print('TORCHINDUCTOR_MAX_AUTOTUNE has no effect')",
    "self._dynamo = Dynamo(); self._dynamo.rate = 3",
    "dist.init_process_group(backend='nccl', device_id=device)",
    "scope = contextlib.ExitStack(); scope.enter_context(torch.no_grad())",
]


@pytest.mark.parametrize("text", HONEST)
def test_what_honest_programs_write_is_not_a_finding(text):
    program = read_program(IMPORTS + text)
    assert (program.problem, program.settings, program.compile_options) == ("", (), ())


ALIASES = st.lists(
    st.sampled_from([
        "{new} = {old}",
        "({new} := {old})",
        "{new}: object = {old}",
        "if a:\n    {new} = {old}",
        "try:\n    {new} = {old}\nexcept E:\n    pass",
        "{new} = {old} if a else {old}",
        "{new} = {old} or {old}",
        "{new}, y = {old}, 1",
        "for {new} in [{old}]: pass",
        "with f({old}) as {new}: pass",
        "def f():\n    global {new}\n    {new} = {old}",
        "{new} = f({old})",
        "{new} = [{old}][0]",
    ]),
    max_size=10,
)  # fmt: skip
ENDS = st.sampled_from([
    "{cfg}.x = 1", "{cfg}.x += 1", "setattr({cfg}, 'x', 1)", "for {cfg}.x in y: pass",
    "{cfg}.patch(x=1)", "vars({cfg})['x'] = 1", "{cfg}.a.x, y = 1, 2",
])  # fmt: skip


@given(ALIASES, ENDS)
def test_no_chain_of_names_hides_a_change_of_the_configuration(aliases, end):
    lines = ["import torch", "c0 = torch._inductor.config"]
    for number, alias in enumerate(aliases):
        lines.append(alias.format(old=f"c{number}", new=f"c{number + 1}"))
    lines.append(end.format(cfg=f"c{len(aliases)}"))
    program = read_program("\n".join(lines))
    assert program.problem == ""
    assert program.settings


TOKENS = [
    "for args.val_tokens in [1048576]: pass",
    "with f() as val_tokens: pass",
    "train_tokens, val_tokens = 1, 1048576",
    "setattr(args, 'val_tokens', 1048576)",
    "object.__setattr__(args, 'val_tokens', 1048576)",
    "args.__setattr__('val_tokens', 1048576)",
    "args.val_tokens += 1",
    "del args.val_tokens",
    "class Small(Args):\n    @property\n    def val_tokens(self): return 1048576",
    "val_tokens = int(os.environ.get('VAL_TOKENS', 10485760))",
    "from settings import val_tokens",
    "[0 for val_tokens in [1048576]]",
    "operator.setitem(config, 'val_tokens', f())",
]
SMALLER = [
    "args.__dict__['val_tokens'] = 1048576",
    "vars(args)['val_tokens'] = 1048576",
    "args.__dict__.update(val_tokens=1048576)",
    "args = replace(args, val_tokens=1048576)",
    "config |= {'val_tokens': 1048576}",
]


@pytest.mark.parametrize("text", TOKENS)
def test_a_way_around_an_assignment_leaves_the_validation_tokens_unknown(text):
    counts = read_program(f"val_tokens = 10485760\n{text}").val_tokens
    assert [count.value for count in counts] == [10_485_760, None]


@pytest.mark.parametrize("text", SMALLER)
def test_another_number_of_validation_tokens_is_read_wherever_it_is_given(text):
    counts = read_program(f"val_tokens = 10485760\n{text}").val_tokens
    assert [count.value for count in counts] == [10_485_760, 1_048_576]


@pytest.mark.parametrize(
    "text",
    [
        "print('val_tokens', args.val_tokens)",
        "n = getattr(args, 'val_tokens') + config.get('val_tokens', 3) + config['val_tokens']",
        "def evaluate(model, val_tokens): return val_tokens // batch",
        "steps = args.val_tokens // (world * args.val_batch)",
        "assert args.val_tokens % batch == 0",
    ],
)
def test_reading_the_validation_tokens_sets_nothing(text):
    counts = read_program(f"val_tokens = 10485760\n{text}").val_tokens
    assert [count.value for count in counts] == [10_485_760]
