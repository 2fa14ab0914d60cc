"""The call cache: an expensive call whose inputs did not change is not computed again.

It serves without the rest of Treadle too, and importing it brings in neither numpy nor SQLAlchemy.
"""

from treadle.cache.active import Bound, Use, cache, meta, project, tags
from treadle.cache.cached import CachedFunction, cached
from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.caches.cached_call import Cached
from treadle.cache.executors import wrap_executor
from treadle.cache.keys import Digest, digest_of
from treadle.cache.keys.hooks import add_hook
from treadle.cache.marks import ByContent, Ignored, Required
from treadle.cache.metadata import Environment, Git, Runtime
from treadle.cache.records import CallRecord, Reference, SealedCall

__all__ = [
    "BaseCache",
    "Bound",
    "ByContent",
    "Cache",
    "Cached",
    "CachedFunction",
    "CallRecord",
    "Digest",
    "Environment",
    "Git",
    "Ignored",
    "Reference",
    "Required",
    "Runtime",
    "SealedCall",
    "Use",
    "add_hook",
    "cache",
    "cached",
    "digest_of",
    "meta",
    "project",
    "tags",
    "wrap_executor",
]
