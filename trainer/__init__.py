"""The bundled training program: long-short sliding-window attention, as the sub-3-minute record."""
