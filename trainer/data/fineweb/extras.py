"""Packages that only the data commands need."""

from __future__ import annotations

from importlib.util import find_spec

from trainer.errors import TrainerError


def require_package(name: str) -> None:
    """Check that a package of the extra `data` is installed.

    Raises:
        TrainerError: it is not; says how to get it.
    """
    if find_spec(name) is None:
        raise TrainerError(
            f"this command needs {name}, which is not installed",
            remedy="pip install 'speedcheck[data]'",
        )
