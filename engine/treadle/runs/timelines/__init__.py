"""Pictures of runs over time."""
