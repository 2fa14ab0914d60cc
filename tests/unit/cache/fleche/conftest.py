"""Folders and databases that fleche itself has written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import fleche
import pytest
from fleche.caches import Cache
from fleche.storage.bagofholding_file import CallBagOfHoldingH5File, ValueBagOfHoldingH5File
from fleche.storage.pickle_file import CallPickleFile, ValuePickleFile
from fleche.storage.sql import Sql

from treadle.cache.fleche.layer import FlecheCache
from treadle.cache.fleche.opening import old_calls, old_values
from treadle.cache.keys.sealing import KeyOptions, Sealer
from treadle.cache.records import SealedCall


@dataclass
class Recording:
    """A cache of fleche's in a folder, and the same as a layer of ours."""

    root: Path
    values: str
    calls: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values == "bagofholding_hdf":
            values = ValueBagOfHoldingH5File(self.root / "values", **self.options)
        else:
            values = ValuePickleFile.with_serializer(self.values, root=self.root / "values", **self.options)
        if self.calls == "sql":
            calls = Sql(str(self.root / "calls.db"))
        elif self.calls == "bagofholding_hdf":
            calls = CallBagOfHoldingH5File(self.root / "calls")
        else:
            calls = CallPickleFile.with_serializer(self.calls, root=self.root / "calls", **self.options)
        self.cache = Cache(values, calls)

    @property
    def calls_place(self) -> Path:
        return self.root / ("calls.db" if self.calls == "sql" else "calls")

    def record(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
        """Let fleche make a call; returns its key."""
        cached = fleche.fleche(function)
        with fleche.cache(self.cache):
            cached(*args, **kwargs)
        return str(cached.digest(*args, **kwargs))

    def layer(self, *, trust: Literal["recorded"] | None = None, keys: tuple[bytes, ...] = ()) -> FlecheCache:
        values = old_values(self.values, self.root / "values", keys=keys)
        return FlecheCache(values, old_calls(self.calls, self.calls_place, keys=keys), trust=trust)

    def close(self) -> None:
        if self.calls == "sql":
            self.cache.calls.engine.dispose()


KINDS = [
    ("pickle", "pickle"),
    ("cloudpickle", "sql"),
    ("dill", "dill"),
    ("bagofholding_hdf", "bagofholding_hdf"),
    ("bagofholding_hdf", "sql"),
]


@pytest.fixture(params=KINDS, ids="-".join)
def recording(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Recording]:
    """Each pair of fleche's storages."""
    made = Recording(tmp_path, *request.param)
    yield made
    made.close()


@pytest.fixture
def pickled(tmp_path: Path) -> Recording:
    """Pickles for both."""
    return Recording(tmp_path, "pickle", "pickle")


@pytest.fixture
def make_recording(tmp_path: Path) -> Callable[..., Recording]:
    """Makes one with options of fleche's."""
    return lambda values, calls, **options: Recording(tmp_path, values, calls, options)


@pytest.fixture
def seal() -> Callable[..., SealedCall]:
    """Seals a call of a function as the decorator does."""

    def sealed(function: Callable[..., Any], *args: Any, version: Any = None, **kwargs: Any) -> SealedCall:
        version = version or getattr(function, "__version__", None)
        return Sealer(function, KeyOptions(version=version)).seal(args, kwargs)

    return sealed
