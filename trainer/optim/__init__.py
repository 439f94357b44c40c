"""Muon, Adam, and the gradients that they read."""
