"""Sources -> lock -> environment -> manifest -> tasks."""

from treadle.collect.collection import Collected, Preview, collect, preview

__all__ = ["Collected", "Preview", "collect", "preview"]
