"""What a built environment is like: compiled, read-only, sharing what it can."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.collect.environments.build import read_record
from treadle.collect.environments.bytecode import compiling_ahead
from treadle.collect.environments.interpreter import examine
from treadle.collect.environments.removal import measure, remove_tree
from treadle.collect.programs import bytecode

pytestmark = pytest.mark.integration


def pyc(environment: Path) -> list[Path]:
    return sorted(environment.glob("lib/python*/site-packages/tiny/__pycache__/*.pyc"))


def pool(here) -> list[Path]:
    return sorted(here.settings.bytecode_folder.rglob("*"))


def in_pool(here) -> list[str]:
    return [str(path) for path in pool(here) if path.is_file()]


def test_bytecode_holds_whatever_the_time_of_the_source(here, make_wheel) -> None:
    environment = Path(here.collect(make_wheel()).environment.path)
    [compiled] = [path for path in pyc(environment) if path.name.startswith("__init__")]
    (source,) = environment.glob("lib/python*/site-packages/tiny/__init__.py")

    os.utime(source, (1, 1))
    script = "import tiny; print(tiny.GREETING, tiny.__cached__, (lambda: 0).__code__.co_filename)"
    words = [environment / "bin" / "python", "-v", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=True)

    assert compiled.read_bytes()[4] == 1  # PEP 552: by hash, unchecked
    assert f"code object from '{compiled}'" in done.stderr
    assert str(compiled) in done.stdout


def test_traceback_names_the_source_in_its_own_environment(here, make_wheel) -> None:
    """Bytecode is shared with environments elsewhere."""
    environment = Path(here.collect(make_wheel()).environment.path)
    script = "import tiny.broken"
    source = "def fail():\n    raise ValueError('here')\nfail()\n"
    broken = here.collect(make_wheel(version="2", files={**FILES, "tiny/broken.py": source})).environment
    words = [Path(broken.path) / "bin" / "python", "-c", script]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert f'File "{broken.path}/lib/' in done.stderr
    assert str(environment) not in done.stderr


MANIFEST = (
    '{"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}'
)
FILES = {
    "tiny/__init__.py": "GREETING = 'hello'\n",
    "tiny/measure.py": "import tiny\n",
    "tiny/__FRACTAL_MANIFEST__.json": MANIFEST,
}


def test_second_environment_takes_bytecode_from_the_pool(here, make_wheel) -> None:
    first = Path(here.collect(make_wheel(files=FILES)).environment.path)
    before = in_pool(here)
    more = {**FILES, "tiny/more.py": "MORE = 1\n"}

    second = Path(here.collect(make_wheel(version="2.0", files=more)).environment.path)

    assert len(in_pool(here)) == len(before) + 1
    for compiled in pyc(first):
        assert compiled.samefile(second / compiled.relative_to(first))


def test_what_is_no_source_or_a_packages_own_test_stays_uncompiled(here, make_wheel) -> None:
    odd = {
        "tiny/python2.py": "print 'hello'\n",
        "tiny/tests/test_it.py": "",
        "tests/__init__.py": "ROOT = 1\n",
    }

    environment = Path(here.collect(make_wheel(files={**FILES, **odd})).environment.path)

    compiled = {path.name.partition(".")[0] for path in environment.rglob("*.pyc")}
    assert {"measure", "__init__"} <= compiled
    assert compiled.isdisjoint({"python2", "test_it"})
    assert list(environment.glob("lib/python*/site-packages/tests/__pycache__/*.pyc"))


def test_nobody_may_write_in_an_environment_or_the_pool(here, make_wheel) -> None:
    environment = Path(here.collect(make_wheel()).environment.path)

    for path in (environment, *environment.rglob("*")):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode):
            assert stat.S_IMODE(mode) in {0o555, 0o444}, path
        assert not stat.S_ISDIR(mode) or stat.S_IMODE(mode) == 0o555
    assert {stat.S_IMODE(path.stat().st_mode) for path in pool(here) if path.is_file()} == {0o444}
    assert Path("/usr/bin/env").stat().st_mode & stat.S_IWUSR  # and nothing that is linked by name


def test_interpreters_that_share_a_pool_at_once_agree(here, make_wheel, tmp_path: Path) -> None:
    """Two builders compile the same sources into one pool; each gets all of its files."""
    sources = {f"tiny/m{number}.py": f"N = {number}\n" * 50 for number in range(120)}
    environment = Path(here.collect(make_wheel(files={**FILES, **sources})).environment.path)
    (packages,) = environment.glob("lib/python*/site-packages")
    copies = []
    for number in range(3):
        copy = tmp_path / f"copy-{number}"
        (copy / "tiny").mkdir(parents=True)
        for source in packages.glob("tiny/*.py"):
            os.link(source, copy / "tiny" / source.name)
        copies.append(copy)
    words = [sys.executable, "-I", "-S", "-B", bytecode.__file__]

    processes = [subprocess.Popen([*words, copy, tmp_path / "pool"]) for copy in copies]

    assert [process.wait(120) for process in processes] == [0, 0, 0]
    for copy in copies:
        assert len(list(copy.rglob("*.pyc"))) == len(list(copy.rglob("*.py")))
    assert not list((tmp_path / "pool").rglob("*.tmp"))


def test_pool_on_another_file_system_is_copied_from(tmp_path: Path) -> None:
    shared = Path("/dev/shm")  # noqa: S108 - the other file system that every Linux has
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two file systems")
    folder = shared / f"treadle-{os.getpid()}"
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "a.py").write_text("A = 1\n")
    try:
        bytecode.main(str(copy), str(folder))
        [compiled] = copy.rglob("*.pyc")
        [pooled] = folder.rglob("*.pyc")
        assert compiled.read_bytes() == pooled.read_bytes()
        assert compiled.stat().st_nlink == 1
    finally:
        remove_tree(folder)


def test_what_uv_unpacks_is_compiled_while_it_fetches_the_rest(
    here, make_wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected = here.collect(make_wheel(files=FILES))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    archives, aside = tmp_path / "cache" / "archive-v0", tmp_path / "unpacked"
    archives.mkdir(parents=True)
    (aside / "fresh").mkdir(parents=True)
    (aside / "fresh" / "module.py").write_text("FRESH = 'not seen before'\n")
    before = in_pool(here)
    interpreter = examine(Path(collected.environment.python))

    with compiling_ahead(Path(collected.environment.path), interpreter=interpreter, settings=here.settings):
        deadline = time.monotonic() + 60
        unpacked = aside
        while len([name for name in in_pool(here) if name.endswith(".pyc")]) <= len(before):
            assert time.monotonic() < deadline
            # Under a new name each time: what was there when the program came does not count.
            unpacked = unpacked.rename(archives / f"archive-{time.monotonic_ns()}")
            time.sleep(1)

    [new] = set(in_pool(here)) - set(before)
    assert b"not seen before" in Path(new).read_bytes()


def test_size_that_is_its_own_is_what_its_removal_frees(here, make_wheel) -> None:
    content = {**FILES, "tiny/data.bin": "x" * 500_000}
    first = Path(here.collect(make_wheel(files=content)).environment.path)
    alone = measure(first)
    here.collect(make_wheel(version="2.0", files={**content, "tiny/more.py": ""}))
    together = measure(first)

    assert alone.total == together.total > 500_000
    assert alone.shared >= 500_000  # uv's cache has the file as well
    assert together.own < alone.own  # its bytecode is the other's, too
    assert (alone.own + alone.shared, together.own + together.shared) == (alone.total, together.total)


def test_freeze_tree_and_log_of_the_build_are_kept(here, index, make_wheel) -> None:
    index.add(
        make_wheel("tiny-library", files={"tiny_library.py": ""}), make_wheel(requires=["tiny-library"])
    )
    environment = Path(here.collect("tiny-tasks").environment.path)

    assert read_record(environment, "freeze") == "tiny-library==1.0\ntiny-tasks==1.0\n"
    assert read_record(environment, "tree") == "tiny-tasks v1.0\n└── tiny-library v1.0\n"
    assert " + tiny-library==1.0" in (read_record(environment, "log") or "")
    assert "tiny-tasks==1.0" in (read_record(environment, "lock") or "")
    assert read_record(environment / "gone", "log") is None


def test_uvs_cache_is_on_the_file_system_of_the_home(
    here, make_wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Path("/dev/shm")  # noqa: S108 - the other file system that every Linux has
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two file systems")
    monkeypatch.delenv("UV_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "no" / "cache"))
    monkeypatch.setenv("UV_LINK_MODE", "symlink")
    home = here.settings.model_copy(update={"home": tmp_path / "other home"})

    environment = Path(replace(here, settings=home).collect(make_wheel(files=FILES)).environment.path)

    assert home.uv_cache_folder.is_dir()
    (source,) = environment.glob("lib/python*/site-packages/tiny/measure.py")
    assert not source.is_symlink()
    assert source.stat().st_nlink > 1


@pytest.mark.skipif(os.getuid() != 0, reason="another account can be taken by root alone")
def test_account_without_privileges_can_remove_what_nobody_may_write(tmp_path: Path) -> None:
    """Root may always write; who has no privileges has to take the right to it first."""
    nobody = 65534
    place = tmp_path / "place"
    (place / "folder" / "inner").mkdir(parents=True)
    (place / "folder" / "inner" / "file").write_text("")
    (place / "folder" / "inner" / "file").chmod(0o444)
    (place / "folder" / "inner").chmod(0o555)
    (place / "folder").chmod(0o555)
    for path in (place, *place.rglob("*")):
        os.chown(path, nobody, nobody)
    child = os.fork()
    if child == 0:
        os.chdir(place)
        os.setuid(nobody)
        remove_tree(Path("folder"))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert list(place.iterdir()) == []
