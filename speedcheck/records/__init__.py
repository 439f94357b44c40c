"""Record folders: what is claimed, what was run, and the logs that show it."""
