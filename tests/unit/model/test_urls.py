"""URLs of items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.model.urls import is_inside, normalise_url

components = st.text(st.sampled_from("ab .-\t"), max_size=4).filter(lambda text: text.strip() != "..")
paths = st.lists(components, max_size=5).map(lambda names: "/" + "/".join(names))
s3_urls = st.lists(components, max_size=5).map(lambda names: "s3://bucket/" + "/".join(names))
urls = paths | s3_urls
plain_names = st.text("ab1._-", min_size=1, max_size=5).filter(lambda text: text not in {".", ".."})
folders = st.lists(plain_names, min_size=1, max_size=3).map("/".join)
roots = st.sampled_from(["/", "s3://bucket/"])


@given(urls)
def test_normalising_twice_changes_nothing_more(url: str) -> None:
    once = normalise_url(url)
    assert normalise_url(once) == once


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" /data//plate.zarr/./B/03/ ", "/data/plate.zarr/B/03"),
        ("//data", "/data"),
        ("/", "/"),
        ("s3://bucket/key//", "s3://bucket/key"),
        ("s3://bucket/a//b/", "s3://bucket/a//b"),
        ("s3://bucket/./a", "s3://bucket/./a"),
    ],
)
def test_a_path_is_normalised_and_an_s3_address_only_loses_trailing_slashes(
    given: str, expected: str
) -> None:
    assert normalise_url(given) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "data/a",
        "https://host/a",
        "s3:/bucket",
        "s3://",
        "s3:///",
        "/data/../a",
        "s3://b/../a",
        "/..",
        "S3://b",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must (not|start|name)"):
        normalise_url(text)


def test_two_dots_inside_a_name_are_no_parent() -> None:
    assert normalise_url("/data/a..b/..c") == "/data/a..b/..c"


@given(roots, folders, plain_names, folders)
def test_a_sibling_that_begins_alike_is_never_inside(root: str, folder: str, suffix: str, rest: str) -> None:
    sibling = root + folder + suffix
    assert not is_inside(sibling, root + folder)
    assert not is_inside(f"{sibling}/{rest}", root + folder)


@given(roots, folders, folders)
def test_what_is_below_a_folder_is_inside_and_the_folder_itself_is_not(
    root: str, folder: str, rest: str
) -> None:
    outer = root + folder
    assert is_inside(f"{outer}/{rest}", outer)
    assert is_inside(f"{outer}//{rest}/", f"{outer}/")
    assert not is_inside(f"{outer}/", outer)
    assert not is_inside(outer, f"{outer}/{rest}")


def test_everything_but_the_root_is_inside_the_root() -> None:
    assert is_inside("/a", "/")
    assert not is_inside("/", "/")


def test_a_path_is_not_inside_a_bucket() -> None:
    assert not is_inside("/bucket/a", "s3://bucket")
    assert not is_inside("s3://bucket/a", "/")
