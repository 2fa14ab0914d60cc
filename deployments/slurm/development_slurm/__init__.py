"""A real SLURM on one machine, for development and tests: no containers, no systemd, one folder."""
