"""Submitting, driving and reading runs."""
