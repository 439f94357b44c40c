"""What surrounds the training loop: ranks, clock, device, log, provenance."""
