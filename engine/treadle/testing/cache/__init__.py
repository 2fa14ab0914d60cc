"""What every storage of the call cache has to do, as tests that its author inherits; they need `hypothesis`.

    class TestMine(ValueStorageContract):
        def open(self, folder: Path) -> ValueStorage:
            return MyValues(folder)

Further contracts hold for storages that do more. They include the plain one, and can be inherited together:

    SplitValuesContract     containers are taken apart
    ValueDamageContract     values lie as bytes where somebody could change them: `raw`, `set_raw`
    LastingCallsContract    records are there for whoever opens the storage again
    CallDamageContract      records lie as bytes where somebody could change them, likewise
"""

from __future__ import annotations

from treadle.testing.cache.calls import CallStorageContract, LastingCallsContract
from treadle.testing.cache.damage import CallDamageContract, ValueDamageContract, damages
from treadle.testing.cache.records import call_record, digest_of_text, reachable
from treadle.testing.cache.values import SplitValuesContract, ValueStorageContract

__all__ = [
    "CallDamageContract",
    "CallStorageContract",
    "LastingCallsContract",
    "SplitValuesContract",
    "ValueDamageContract",
    "ValueStorageContract",
    "call_record",
    "damages",
    "digest_of_text",
    "reachable",
]
