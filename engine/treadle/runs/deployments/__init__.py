"""Workflows as deployments of Prefect: forms, schedules, and runs that they know again."""
