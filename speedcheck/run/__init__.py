"""Launching the seeded runs of a record, and following them."""
