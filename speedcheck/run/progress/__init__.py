"""How far a campaign has come: the live display, and `speedcheck status`."""
