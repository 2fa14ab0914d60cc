from __future__ import annotations

from pathlib import Path

from treadle.collect.lock import Lock, Pin

LOCK = Lock(
    "zarr==3.1.2 \\\n    --hash=sha256:bb \\\n    --hash=sha256:aa\n"
    "Tiny_Tasks @ file://${TREADLE_WHEELS}/0123/tiny_tasks-1.0%2Blocal-py3-none-any.whl \\\n"
    "    --hash=sha256:cc\n"
)


def test_pins_are_read_with_versions_and_hashes_by_name() -> None:
    assert LOCK.pins == (
        Pin("tiny-tasks", "1.0+local", "tiny_tasks-1.0+local-py3-none-any.whl", ("sha256:cc",)),
        Pin("zarr", "3.1.2", None, ("sha256:aa", "sha256:bb")),
    )
    assert [str(pin) for pin in LOCK.pins] == ["tiny-tasks==1.0+local", "zarr==3.1.2"]


def test_version_of_a_distribution_is_found_by_name() -> None:
    assert LOCK.version("zarr") == "3.1.2"


def test_installable_text_names_the_wheels_of_this_machine() -> None:
    text = LOCK.installable(Path("/home/some one/wheels"))

    assert "Tiny_Tasks @ file:///home/some%20one/wheels/0123/tiny_tasks-1.0%2Blocal-py3-none-any.whl" in text
    assert "TREADLE_WHEELS" not in text
