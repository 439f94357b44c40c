"""A series of records: when each came, and what it gained over the one before."""
