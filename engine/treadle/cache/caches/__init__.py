"""Caches, and the layers that are put over them."""
