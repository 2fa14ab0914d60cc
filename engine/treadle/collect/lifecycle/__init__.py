"""What becomes of packages after they are collected, and of what is kept for them."""

from treadle.collect.lifecycle.changes import deactivate, delete, reactivate
from treadle.collect.lifecycle.garbage import Garbage, collect_garbage
from treadle.collect.lifecycle.health import heal
from treadle.collect.lifecycle.repairing import repair

__all__ = ["Garbage", "collect_garbage", "deactivate", "delete", "heal", "reactivate", "repair"]
