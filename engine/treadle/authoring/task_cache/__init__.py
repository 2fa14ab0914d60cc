"""Prefect's tasks on Treadle's call cache: keys, locks and results."""
