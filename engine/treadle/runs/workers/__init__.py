"""Flow runs as processes: the worker that starts drivers, the drivers, and what looks after their ends."""
