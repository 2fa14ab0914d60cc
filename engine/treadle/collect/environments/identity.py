"""Names of things by their content."""

from __future__ import annotations

import hashlib
import json

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.lock import Lock

BUILDER_FORMAT = "2"
"""Changes whenever an environment would be built differently from the same lock."""


def environment_id(lock: Lock, interpreter: Interpreter) -> str:
    """Digest of everything that decides what is in an environment, in 32 hexadecimal digits.

    Order, layout and machine paths of the lock do not count; a wheel of our own counts by its hash.
    """
    pins = [[str(pin), pin.wheel, list(pin.hashes)] for pin in lock.pins]
    return tagged_digest("Environment", BUILDER_FORMAT, pins, interpreter.build, interpreter.platform)


def tagged_digest(tag: str, *parts: object) -> str:
    """BLAKE2b over the canonical JSON of a list that begins with its kind, in 32 hexadecimal digits."""
    canonical = json.dumps([tag, *parts], ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
