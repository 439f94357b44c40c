"""Statistical record validation for training speedruns."""

__version__ = "0.1.0"
