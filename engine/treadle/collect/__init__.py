"""Sources -> lock -> environment -> manifest -> tasks."""

from treadle.collect.collection import Collected, Preview, collect, preview
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress

__all__ = ["CollectOptions", "Collected", "Preview", "Progress", "collect", "preview"]
