"""Opening a ledger: creating it, bringing it up to date, and what can be wrong with the file."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from treadle.errors import LedgerError, SchemaTooNew, SettingsInvalid, StorageFull
from treadle.ledger import Ledger, migrations, people, sqlite_url
from treadle.ledger.tables import metadata

OPEN_AND_ASK = """
from pathlib import Path
from treadle.ledger import Ledger, people, sqlite_url

def go(file, number):
    with Ledger(sqlite_url(Path(file))) as ledger, ledger.reading() as tx:
        print(people.default_project(tx))
"""

KILLED_BEFORE_COMMIT = """
import os, signal, sys
from pathlib import Path
from treadle.ledger import Ledger, database, sqlite_url
from treadle.ledger.migrations import upgrade

def upgrade_and_die(connection):
    upgrade(connection)
    os.kill(os.getpid(), signal.SIGKILL)

database.upgrade = upgrade_and_die
Ledger(sqlite_url(Path(sys.argv[1])))
"""

OPEN_WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from treadle.errors import StorageFull
from treadle.ledger import Ledger, sqlite_url
import sqlalchemy.dialects.sqlite.pysqlite

if os.geteuid() == 0:
    os.setuid(65534)
try:
    with Ledger(sqlite_url(Path(sys.argv[1]))) as ledger, ledger.writing() as tx:
        tx.exec_driver_sql("DELETE FROM people")
except StorageFull as error:
    print(error)
"""


def ask(ledger: Ledger) -> int:
    with ledger.reading() as tx:
        return people.default_project(tx)


def test_a_new_ledger_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "new" / "home" / "ledger.db"
    with Ledger(sqlite_url(file)) as ledger:
        ask(ledger)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert modes.keys() >= {"ledger.db", "ledger.db-wal"}
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in file.parents[:2]] == [0o700, 0o700]


def test_a_new_ledger_has_one_person_and_one_project(file: Path) -> None:
    with Ledger(sqlite_url(file)) as ledger, ledger.reading() as tx:
        assert (people.local_user(tx), people.default_project(tx)) == (1, 1)


def test_a_path_with_odd_characters_is_that_file(tmp_path: Path) -> None:
    file = tmp_path / "a b%41?c#d&e=é" / "ledger.db"
    Ledger(sqlite_url(file)).close()
    assert file.stat().st_size > 0


def test_the_migrations_lead_to_the_tables_of_the_code(file: Path) -> None:
    with Ledger(sqlite_url(file)) as ledger, ledger.reading() as tx:
        context = MigrationContext.configure(
            tx, opts={"version_table": migrations.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_head_is_the_newest_migration() -> None:
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert script.get_heads() == [migrations.HEAD]


def test_several_processes_open_a_new_ledger_at_once(file: Path, race) -> None:
    assert race(OPEN_AND_ASK, file, processes=5) == ["1\n"] * 5


def test_a_process_killed_while_creating_a_ledger_leaves_nothing_half_made(file: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_COMMIT, str(file)], check=False)
    assert killed.returncode == -9
    assert file.exists()
    with Ledger(sqlite_url(file)) as ledger:
        assert ask(ledger) == 1


def test_opening_a_current_ledger_does_not_load_alembic(file: Path) -> None:
    Ledger(sqlite_url(file)).close()
    script = f"import sys; {OPEN_AND_ASK}\ngo({str(file)!r}, 0); print('alembic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert told.stdout == "1\nFalse\n"


def test_an_empty_file_becomes_a_ledger(file: Path) -> None:
    file.parent.mkdir()
    file.touch()
    with Ledger(sqlite_url(file)) as ledger:
        assert ask(ledger) == 1


def test_a_file_that_is_no_database_is_refused_and_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("my notes, which are longer than a header of SQLite would be\n" * 50)
    with pytest.raises(LedgerError, match="no database") as caught:
        Ledger(sqlite_url(file))
    assert str(file) in caught.value.what
    assert "TREADLE_LEDGER_URL" in caught.value.remedy
    assert file.read_text().startswith("my notes")


def test_a_database_of_another_program_is_refused_and_kept(file: Path) -> None:
    file.parent.mkdir()
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE flow_run (id TEXT)")
    other.close()
    with pytest.raises(LedgerError, match="another program") as caught:
        Ledger(sqlite_url(file))
    assert str(file) in caught.value.what
    again = sqlite3.connect(file)
    assert again.execute("SELECT name FROM sqlite_master").fetchall() == [("flow_run",)]
    again.close()


def test_a_ledger_of_a_newer_treadle_is_refused_and_kept(file: Path) -> None:
    Ledger(sqlite_url(file)).close()
    newer = sqlite3.connect(file)
    newer.execute("UPDATE ledger_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    with pytest.raises(SchemaTooNew, match="9999") as caught:
        Ledger(sqlite_url(file))
    assert str(file) in caught.value.what
    assert "newer Treadle" in caught.value.remedy


def test_a_damaged_ledger_says_so(file: Path) -> None:
    Ledger(sqlite_url(file)).close()
    content = bytearray(file.read_bytes())
    content[100:8192] = b"\xff" * (8192 - 100)
    file.write_bytes(content)
    with pytest.raises(LedgerError, match="damaged") as caught:
        Ledger(sqlite_url(file))
    assert "backup" in caught.value.remedy


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(StorageFull, match="may not be written") as caught:
        Ledger("sqlite:////sys/treadle/ledger.db")
    assert "/sys/treadle/ledger.db" in caught.value.what
    assert "TREADLE_HOME" in caught.value.remedy


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(LedgerError, match="could not be read or written") as caught:
        Ledger(sqlite_url(tmp_path / "home" / "ledger.db"))
    assert "Not a directory" in caught.value.detail


def test_a_ledger_that_may_only_be_read_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.db"
        Ledger(sqlite_url(file)).close()
        file.chmod(0o444)
        Path(folder).chmod(0o555)
        told = subprocess.run(
            [sys.executable, "-c", OPEN_WITHOUT_RIGHTS, str(file)],
            check=True,
            capture_output=True,
            text=True,
            cwd=os.sep,
        )
        Path(folder).chmod(0o755)
    assert f"The ledger {file} may not be written" in told.stdout


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("ledger.db", "cannot be read"),
        ("sqlite:///relative.db", "absolute path"),
        ("sqlite://", "absolute path"),
        ("oracle+nothing://host/name", "driver is not installed"),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=complaint) as caught:
        Ledger(url)
    assert caught.value.remedy


def test_a_password_in_the_url_is_never_shown() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        Ledger("oracle+nothing://me:hunter2@host/name")
    assert "hunter2" not in str(caught.value) + caught.value.detail
