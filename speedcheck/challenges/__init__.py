"""Challenges: a record's own program, run again by somebody else."""
