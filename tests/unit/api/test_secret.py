from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from treadle.api.secret import local_secret
from treadle.errors import ServerError


def test_secret_has_256_bits_and_is_kept_from_others(tmp_path: Path) -> None:
    secret = local_secret(tmp_path)

    assert len(secret) == 43  # 32 bytes in base 64
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_secret_stays_the_same(tmp_path: Path) -> None:
    assert local_secret(tmp_path) == local_secret(tmp_path)


def test_two_homes_have_two_secrets(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()

    assert len({local_secret(home) for home in homes}) == 2


def test_many_that_start_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(local_secret, [tmp_path] * 64))

    assert len(secrets) == 1


def test_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    local_secret(tmp_path)
    (tmp_path / "secret").chmod(0o640)

    with pytest.raises(ServerError, match="can be read by others"):
        local_secret(tmp_path)


def test_empty_secret_opens_nothing(tmp_path: Path) -> None:
    local_secret(tmp_path)
    (tmp_path / "secret").write_text("\n")

    with pytest.raises(ServerError, match="is empty"):
        local_secret(tmp_path)
