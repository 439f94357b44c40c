"""How a run is started on this machine, and ended for good."""
