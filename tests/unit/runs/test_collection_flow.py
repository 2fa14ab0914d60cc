"""What becomes of a collection whose flow run never gets to its work."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from treadle.collect import CollectOptions
from treadle.errors import ServerError
from treadle.ledger import Ledger, sqlite_url
from treadle.runs.flows import collection
from treadle.settings import Settings


@pytest.mark.parametrize(
    ("fault", "said"),
    [(None, "ended before it began"), (RuntimeError("no route"), "no route")],
    ids=["ended before it began", "refused"],
)
def test_a_collection_that_never_began_is_the_servers_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception | None, said: str
) -> None:
    """Between the making of a flow run and its call there is no moment that a test could meet."""

    def run_flow(*_: object, **__: object) -> None:
        if fault is not None:
            raise fault

    monkeypatch.setattr(collection, "get_client", lambda **_: nullcontext())
    monkeypatch.setattr(collection, "_new_flow_run", lambda *_: None)
    monkeypatch.setattr(collection, "run_flow", run_flow)
    with (
        Ledger(sqlite_url(tmp_path / "ledger.sqlite")) as ledger,
        pytest.raises(ServerError, match=said) as error,
    ):
        collection.collect_in_flow(
            "tiny",
            CollectOptions(),
            settings=Settings(home=tmp_path),
            ledger=ledger,
            tell=lambda _: None,
        )
    assert "collect again" in error.value.remedy
