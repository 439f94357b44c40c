"""Races: two trainers on one machine, run in turn, and what their folders show."""
