"""Treadle: a workflow engine for science."""
