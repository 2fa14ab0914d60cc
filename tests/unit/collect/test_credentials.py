from __future__ import annotations

import pytest

from treadle.collect.credentials import secrets_of, without_credentials


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


def test_passwords_of_indexes_are_found_in_every_variable_that_may_hold_one() -> None:
    environment = {
        "UV_INDEX_LAB_PASSWORD": "first word",
        "UV_INDEX_LAB_USERNAME": "somebody",
        "UV_DEFAULT_INDEX": "https://me:sec%2Fond@host/simple",
        "UV_INDEX": "lab=https://token-3@host/simple https://host/a@b",
        "UV_INDEX_OTHER_PASSWORD": "abc",
        "HOME": "https://me:other@host",
    }

    assert secrets_of(environment) == {
        "first word",
        "me:sec%2Fond",
        "me:sec/ond",
        "sec%2Fond",
        "sec/ond",
        "token-3",
        "host/a",
    }


def test_known_secrets_are_hidden_wherever_they_stand() -> None:
    secrets = secrets_of({"UV_INDEX": "https://me:of/course@host/simple"})

    assert without_credentials("invalid port in https://me:of/course@host/simple", secrets) == (
        "invalid port in https://****@host/simple"
    )
