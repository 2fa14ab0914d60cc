from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from treadle.collect.uv_building import apart_from_secrets, configuration, may_build


def read(**inherited: str) -> dict[str, object]:
    return tomllib.loads(configuration({"HOME": "/nowhere", **inherited}))


def test_only_a_command_that_asks_for_builds_may_build() -> None:
    assert may_build(["pip", "sync", "--only-binary", ":all:", "--no-binary", "lib"])
    assert not may_build(["pip", "sync", "--no-build"])


def test_indexes_stand_in_the_order_of_their_priority_with_their_credentials() -> None:
    found = read(
        UV_INDEX="lab=https://lab.example/simple https://other.example/simple",
        UV_DEFAULT_INDEX="main-one=https://main.example/simple",
        UV_INDEX_LAB_USERNAME="me",
        UV_INDEX_LAB_PASSWORD="a/b",
        UV_INDEX_MAIN_ONE_PASSWORD="c",
    )

    assert found["index"] == [
        {"name": "lab", "url": "https://me:a%2Fb@lab.example/simple"},
        {"url": "https://other.example/simple"},
        {"name": "main-one", "url": "https://:c@main.example/simple", "default": True},
    ]


def test_older_variables_proxies_and_further_places_are_kept() -> None:
    found = read(
        UV_INDEX_URL="https://me:x@main.example/simple",
        UV_EXTRA_INDEX_URL="https://extra.example/simple",
        UV_FIND_LINKS="https://files.example/a,/srv/wheels",
        https_proxy="http://me:y@proxy:3128",
        NO_PROXY="localhost, .lab.example",
    )

    assert found == {
        "https-proxy": "http://me:y@proxy:3128",
        "no-proxy": ["localhost", ".lab.example"],
        "find-links": ["https://files.example/a", "/srv/wheels"],
        "index": [
            {"url": "https://extra.example/simple"},
            {"url": "https://me:x@main.example/simple", "default": True},
        ],
    }


@pytest.mark.parametrize("place", ["HOME", "NETRC"])
def test_credentials_of_netrc_are_used(tmp_path: Path, place: str) -> None:
    file = tmp_path / ".netrc"
    file.write_text("machine lab.example login me password x\n")
    where = {place: str(tmp_path if place == "HOME" else file)}

    found = read(UV_INDEX="https://lab.example/simple https://other.example/simple", **where)

    assert found["index"] == [
        {"url": "https://me:x@lab.example/simple"},
        {"url": "https://other.example/simple"},
    ]


def test_file_of_passwords_is_for_this_user_alone_and_gone_afterwards() -> None:
    inherited = {"HOME": "/home/me", "UV_DEFAULT_INDEX": "https://me:x@h/s", "UV_OFFLINE": "1", "TOKEN": "x"}

    with apart_from_secrets(inherited) as (variables, (option, name)):
        assert option == "--config-file"
        assert Path(name).stat().st_mode & 0o777 == 0o600
        assert "me:x@h" in Path(name).read_text()
        assert Path(variables["HOME"]).is_dir()

    assert not Path(name).exists()
    assert not {"UV_DEFAULT_INDEX", "TOKEN"} & set(variables)
    assert (variables["UV_OFFLINE"], variables["UV_CACHE_DIR"]) == ("1", "/home/me/.cache/uv")
