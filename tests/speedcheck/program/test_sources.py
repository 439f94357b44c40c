"""The programs of a folder's runs: each read once, compared as if it were parsed each time."""

from __future__ import annotations

import pytest

from speedcheck.logs import read_log
from speedcheck.program import Sources, differences

TEXTS = [
    "import torch\nseed = 1\nrate = 0.5\n",
    "import torch\nseed = 2\nrate = 0.5\n",
    "import torch\nseed = 3\nrate = 0.5  # half\n",
    "import torch\nseed = 3\nrate = 0.25\n",
    "import torch\nseed = 3\nlr = 0.5\n",
    "import torch\nseed = 3\nrate = seed\n",
    "import torch\nrate = (\n",
]


@pytest.fixture
def folder(build, published_log_text):
    texts = {f"{i}.txt": published_log_text(script=text) for i, text in enumerate(TEXTS)}
    path = build.folder(texts)
    logs = [read_log(path / name, path) for name in texts]
    return Sources(path, logs), [log.runs[0] for log in logs]


def test_programs_with_known_codes_are_compared_as_if_each_were_parsed(folder):
    sources, runs = folder
    first, *others = [sources.of(run) for run in runs]
    expected = list(differences(first.program, [other.program for other in others]))
    assert [found and found.kind for found in expected] == [
        *("text", "text", "constants", "names", "code", None)
    ]
    assert sources.differences(first, others) == expected
    sources.codes_of(runs)
    assert sources.differences(first, others) == expected


def test_programs_that_differ_in_names_and_constants_have_one_code(folder):
    sources, runs = folder
    *alike, other, unread = sources.codes_of(runs)
    assert len(set(alike)) == 1
    assert other not in (alike[0], None)
    assert unread is None


def test_what_differs_in_text_alone_is_not_parsed_to_be_compared(folder, monkeypatch):
    sources, runs = folder
    sources.codes_of(runs)
    first, *others = [sources.of(run) for run in runs[:3]]
    monkeypatch.setattr("ast.parse", None)
    assert [found.kind for found in sources.differences(first, others)] == ["text", "text"]
