"""SLURM: its commands, what becomes of its jobs, and why they ended."""
