"""Runs as the tasks of a Slurm job array, followed through the files of the record folder."""
