"""Two records side by side: which is better, and what would decide it."""
