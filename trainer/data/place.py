"""Where the data is when nobody says: a folder of the user's cache, not the working directory."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "SPEEDCHECK_DATA"


def default_data_dir() -> Path:
    """Return the folder in $SPEEDCHECK_DATA, otherwise the user's cache folder for speedcheck."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named)
    # Only this default needs the package.
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("speedcheck", appauthor=False) / "data"
