"""How doctor tells what it found; what it finds is tested where it looks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

CHECKS = [
    "home folder",
    "file system",
    "ledger",
    "interpreter",
    "uv",
    "packages",
    "plugins",
    "Prefect server",
    "port",
]


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_PORT", "0")


def test_an_installation_in_order_ends_well(call: Any) -> None:
    said = call("doctor")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["check", "result", "found"]
    assert [line.partition("  ")[0] for line in lines[1:]] == CHECKS
    document = call("doctor", "--json").data
    assert (document["ok"], document["cluster"]) == (True, "local")
    assert [found["check"] for found in document["findings"]] == CHECKS
    assert {found["verdict"] for found in document["findings"]} == {"ok"}


def test_a_failure_ends_with_its_remedy_and_another_exit_status(call: Any, home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    said = call("doctor")
    assert said.code == 1
    assert f"home folder: Close it to others: chmod 700 {home}" in said.out
    again = call("doctor", "--json")
    assert again.code == 1
    assert again.data["ok"] is False
    assert again.data["findings"][0]["remedy"].endswith(f"chmod 700 {home}")


def test_a_cluster_without_its_commands_fails_and_the_rest_is_not_checked(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    monkeypatch.setenv("PATH", os.fspath(empty))
    said = call("doctor", "--cluster", "slurm", "--json")
    found = {one["check"]: one for one in said.data["findings"]}
    assert said.code == 1
    assert found["SLURM commands"]["text"] == "Not on PATH: sbatch, squeue, sacct, scontrol, scancel."
    others = list(found)[len(CHECKS) + 1 :]
    assert others[0] == "SLURM controller"
    assert others[-1] == "clocks"
    assert {found[name]["verdict"] for name in others} == {"not checked"}


def test_a_cluster_that_nobody_described_is_an_error(call: Any) -> None:
    said = call("doctor", "--cluster", "moon")
    assert said.code == 2
    assert "no cluster 'moon'" in said.err
