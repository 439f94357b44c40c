"""The gate: judges the records that a branch adds or changes, from git's objects alone."""
