"""Immutable environments: what they are built on, how they are built, and what becomes of them."""
