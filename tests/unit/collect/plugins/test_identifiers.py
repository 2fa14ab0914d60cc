"""Identifiers, and the newest of several versions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from treadle.collect.plugins.identifiers import (
    distribution_name,
    is_plugin_name,
    newest,
    parse_version,
    plugin_identifier,
)


@dataclass(frozen=True)
class Plugin:
    name: str | None
    version: str | None


def test_identifier_has_hyphens_for_every_dot() -> None:
    assert plugin_identifier("hello-world", "v0.2.1") == "hello-world@v0-2-1"
    assert plugin_identifier("a.b", "1.0.dev1") == "a-b@1-0-dev1"


@pytest.mark.parametrize(
    ("versions", "highest"),
    [
        (["v0.9.0", "0.10.0", "v0.2"], "0.10.0"),
        (["1.0", "2.0rc1"], "2.0rc1"),
        (["2.0rc1", "v2.0"], "v2.0"),
        (["nonsense", None, "0.1"], "0.1"),
        ([None, "nonsense"], None),
    ],
)
def test_newest_is_the_highest_in_the_order_of_pep_440(
    versions: list[str | None], highest: str | None
) -> None:
    found = newest([Plugin("p", version) for version in versions])
    assert (found and found.version) == highest


def test_version_may_begin_with_v() -> None:
    assert str(parse_version("v1.0-alpha.1")) == "1.0a1"
    assert parse_version("one") is None


def test_plugin_is_installed_under_a_name_that_is_not_its_librarys() -> None:
    assert distribution_name("NumPy") == "plugin-numpy"
    assert distribution_name("a_b~.c") == "plugin-a-b-c"


@pytest.mark.parametrize(
    ("name", "good"), [("hello-world", True), ("a.b_c~d", True), ("a b", False), ("a@b", False), ("-", False)]
)
def test_name_has_to_stand_in_a_url(name: str, good: bool) -> None:
    assert is_plugin_name(name) is good
