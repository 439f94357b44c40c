"""Token shards: their format, the order in which a run reads them, and where they come from."""
