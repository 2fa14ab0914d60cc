"""What doctor finds of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.ledger import Ledger, packages, sqlite_url
from treadle.ledger.plugins import FoundPlugin, record_plugins
from treadle.model.findings import Finding, Verdict
from treadle.model.task import Task, TaskPart, TaskType
from treadle.runs import installation
from treadle.runs.installation import (
    FILE_SYSTEM,
    HOME,
    INTERPRETER,
    LEDGER,
    PACKAGES,
    PLUGINS,
    UV,
    examine_installation,
    file_system_of,
    is_network,
)
from treadle.settings import Settings

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw,relatime shared:2 master:1 - nfs4 server:/home rw
31 30 0:41 / /home/local\\040dïsk rw - xfs /dev/sdb rw
32 22 0:42 / /homework rw - tmpfs tmpfs rw
"""


def examine(settings: Settings) -> dict[str, Finding]:
    return {found.check: found for found in examine_installation(settings)}


def test_a_new_home_is_in_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    found = examine(Settings(home=home))
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(
        (HOME, FILE_SYSTEM, LEDGER, INTERPRETER, UV, PACKAGES, PLUGINS), Verdict.OK
    )
    assert str(home) in found[HOME].text
    assert found[UV].text.startswith("uv ")
    assert [path.name for path in home.iterdir()] == ["ledger.sqlite"]


def test_a_home_that_others_may_read_is_to_be_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = examine(Settings(home=tmp_path))[HOME]
    assert (found.verdict, found.remedy) == (
        Verdict.FAILED,
        f"Close it to others: chmod 700 {tmp_path}",
    )
    assert "0755" in found.text


def test_each_failure_is_told_and_none_stops_the_others(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    settings = Settings(
        home=tmp_path / "home",
        python=Path("/nowhere/python"),
        ledger_url=f"sqlite:///{tmp_path}/other/ledger.db",
    )
    found = examine(settings)
    assert (found[HOME].verdict, found[INTERPRETER].verdict) == (Verdict.FAILED, Verdict.FAILED)
    assert "TREADLE_HOME" in found[HOME].remedy
    assert "TREADLE_PYTHON" in found[INTERPRETER].remedy
    assert found[LEDGER].verdict is Verdict.OK


def test_a_package_whose_environment_is_gone_is_told_with_what_mends_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.create_home()
    with Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger, ledger.writing() as tx:
        packages.add_environment(
            tx,
            environment_id="e1",
            lock="",
            python="/usr/bin/python3",
            python_version="3.11.2",
            path=str(settings.environments_folder / "e1"),
            build_seconds=1.0,
            size_bytes=1,
        )
        part = TaskPart(executable="a.py")
        task = Task(package="tiny", version="1.0", name="A", type=TaskType.PARALLEL, parallel=part)
        packages.add_package(
            tx,
            name="tiny",
            version="1.0",
            origin="index",
            source="tiny",
            environment_id="e1",
            root="/nowhere",
            tasks=[task],
        )

    found = examine(settings)[PACKAGES]

    assert found.verdict is Verdict.FAILED
    assert "tiny 1.0" in found.text
    assert "treadle package repair" in found.remedy


def test_a_broken_plugin_is_told(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.create_home()
    broken = FoundPlugin(
        "plugin", "/plugins", "/plugins/a.py", None, None, None, "broken", "line 3: no name", {}, "d"
    )
    with Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger, ledger.writing() as tx:
        record_plugins(tx, [broken])

    found = examine(settings)[PLUGINS]

    assert found.verdict is Verdict.FAILED
    assert "/plugins/a.py" in found.text


def test_a_check_that_breaks_is_a_failure_of_that_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "uv_version", lambda *_, **__: 1 / 0)
    found = examine(Settings(home=tmp_path / "home"))
    assert found[UV].verdict is Verdict.FAILED
    assert "ZeroDivisionError" in found[UV].text
    assert found[LEDGER].verdict is Verdict.OK


def test_a_ledger_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "ledger.sqlite").write_text("my notes, which are longer than a header would be\n" * 50)
    found = examine(Settings(home=tmp_path))[LEDGER]
    assert found.verdict is Verdict.FAILED
    assert "no database" in found.text
    assert found.remedy


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/home/ana", "nfs4"),
        ("/home/local dïsk/ana", "xfs"),
        ("/homework/ana", "tmpfs"),
        ("/", "ext4"),
    ],
)
def test_a_folder_is_on_the_file_system_mounted_nearest(folder: str, kind: str) -> None:
    assert file_system_of(Path(folder), MOUNTS) == kind


def test_a_file_system_of_several_machines_is_known_by_its_kind() -> None:
    assert [kind for kind in ("nfs4", "lustre", "fuse.sshfs", "ext4", "tmpfs", "") if is_network(kind)] == [
        "nfs4",
        "lustre",
        "fuse.sshfs",
    ]


def test_sqlite_on_a_network_file_system_is_a_warning_and_postgresql_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("22 1 8:1 / / rw shared:1 - nfs4 server:/ rw\n")
    monkeypatch.setattr(installation, "_MOUNTS", mounts)
    home = tmp_path / "home"
    found = examine(Settings(home=home))[FILE_SYSTEM]
    assert found.verdict is Verdict.WARNING
    assert "TREADLE_LEDGER_URL" in found.remedy
    away = Settings(home=home, ledger_url="postgresql+psycopg://treadle@127.0.0.1:1/ledger")
    assert examine(away)[FILE_SYSTEM].verdict is Verdict.OK


def test_looking_at_a_ledger_changes_nothing_in_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    Ledger(url).close()
    before = (tmp_path / "ledger.sqlite").read_bytes()
    examine(Settings(home=tmp_path))
    assert (tmp_path / "ledger.sqlite").read_bytes() == before
