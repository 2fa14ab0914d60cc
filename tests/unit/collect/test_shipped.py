from __future__ import annotations

import pytest

from treadle.collect.lock import Lock
from treadle.collect.shipped import ShippedLock
from treadle.errors import ResolutionFailed, SourceInvalid

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
SHIPPED = ShippedLock(
    "# made by a tool\n--index-url https://somewhere\n"
    f"Zarr[remote]==3.1.2 ; python_version >= '3.11' \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n"
    f"zarr==2.9 ; python_version < '3.11' --hash=sha256:{C}  # via something\n"
    "idna==3.10\n"
)


def test_versions_are_constraints_with_their_markers_and_without_hashes() -> None:
    assert SHIPPED.lines(without=()) == [
        'Zarr[remote]==3.1.2; python_version >= "3.11"',
        'zarr==2.9; python_version < "3.11"',
        "idna==3.10",
    ]
    assert SHIPPED.lines(without={"zarr"}) == ["idna==3.10"]
    assert ShippedLock("").lines(without=()) == []


@pytest.mark.parametrize(
    "line",
    [f"zarr==3.1.2 --hash=sha256:{B}", f"zarr==2.9 --hash=sha256:{C}", f"idna==3.10 --hash=sha256:{C}"],
)
def test_archive_with_a_shipped_digest_is_accepted(line: str) -> None:
    SHIPPED.check(Lock(f"{line}\n"), package="tasks", free=())


def test_other_archive_is_refused_unless_somebody_chose_it() -> None:
    lock = Lock(f"zarr==3.1.2 --hash=sha256:{'d' * 64}\n")

    with pytest.raises(
        ResolutionFailed, match=r"zarr==3\.1\.2 is another archive .* tasks was released with"
    ):
        SHIPPED.check(lock, package="tasks", free=())
    SHIPPED.check(lock, package="tasks", free={"zarr"})


def test_line_that_is_no_requirement_is_named() -> None:
    with pytest.raises(SourceInvalid, match="-> nonsense is no requirement"):
        ShippedLock("x -> nonsense\n").lines(without=())
