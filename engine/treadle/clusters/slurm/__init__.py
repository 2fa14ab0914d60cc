"""Clusters whose workers are SLURM jobs."""
