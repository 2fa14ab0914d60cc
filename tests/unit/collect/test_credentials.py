from __future__ import annotations

import pytest

from treadle.collect.credentials import without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/simple", "https://host/simple"),
        ("https://token@host/simple", "https://host/simple"),
        ("see `http://u:p@a/x` and git+ssh://git:p@b/y", "see `http://a/x` and git+ssh://b/y"),
        ("https://user:p@ss@host/simple", "https://host/simple"),
        ("https://host/packages/a@b.whl", "https://host/packages/a@b.whl"),
        ("name @ file:///wheels/x.whl", "name @ file:///wheels/x.whl"),
        ("mail somebody@host", "mail somebody@host"),
    ],
)
def test_user_information_of_urls_is_dropped_and_nothing_else(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
