from __future__ import annotations

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from treadle.collect import Collected, CollectOptions, Preview, Progress, collect, preview
from treadle.ledger import Ledger, sqlite_url
from treadle.ledger.packages import list_environments, list_packages
from treadle.settings import Settings

TASK_FILES = {
    "tiny/__init__.py": "GREETING = 'hello from tiny'\n",
    "tiny/tasks/measure.py": "import tiny\nprint(tiny.GREETING)\n",
    "tiny/__FRACTAL_MANIFEST__.json": json.dumps(
        {
            "manifest_version": "2",
            "task_list": [{"name": "Measure", "executable_parallel": "tasks/measure.py"}],
        }
    ),
}


class MakeWheel(Protocol):
    def __call__(
        self,
        name: str = ...,
        version: str = ...,
        *,
        files: Mapping[str, str] | None = ...,
        requires: Sequence[str] = ...,
        extras: Mapping[str, str] | None = ...,
    ) -> Path: ...


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Write a wheel by hand; without files it is a task package with one task, `Measure`."""

    def make(
        name: str = "tiny-tasks",
        version: str = "1.0",
        *,
        files: Mapping[str, str] | None = None,
        requires: Sequence[str] = (),
        extras: Mapping[str, str] | None = None,
    ) -> Path:
        stem = f"{name.replace('-', '_')}-{version}"
        metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
        metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
        for extra, requirement in (extras or {}).items():
            metadata += [f"Provides-Extra: {extra}", f"Requires-Dist: {requirement} ; extra == '{extra}'"]
        contents = {
            **(TASK_FILES if files is None else files),
            f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(_record_line(path, text) for path, text in contents.items())
        contents[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
        wheel = tmp_path / "made wheels" / f"{stem}-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in contents.items():
                archive.writestr(zipfile.ZipInfo(path), text)
        return wheel

    return make


def _record_line(path: str, text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(text.encode())}\n"


@dataclass
class Here:
    """A home of its own, and what was heard while something was collected into it."""

    settings: Settings
    ledger: Ledger
    phases: list[str] = field(default_factory=list)

    def collect(self, source: Path | str, **options: Any) -> Collected:
        self.phases.clear()
        return collect(
            str(source),
            settings=self.settings,
            ledger=self.ledger,
            progress=Progress(self.phases.append),
            options=CollectOptions(**options),
        )

    def preview(self, source: Path | str, **options: Any) -> Preview:
        return preview(
            str(source),
            settings=self.settings,
            ledger=self.ledger,
            progress=Progress(self.phases.append),
            options=CollectOptions(**options),
        )

    @property
    def environments(self) -> list[str]:
        """Everything that lies in the folder of environments, whole or half."""
        folder = self.settings.environments_folder
        return sorted(path.name for path in folder.glob("[!.]*"))

    @property
    def registered(self) -> list[str]:
        """Packages and environments in the ledger, as short texts."""
        with self.ledger.reading() as tx:
            packages = [f"{package.name} {package.version}" for package in list_packages(tx)]
            return [*packages, *(environment.id for environment in list_environments(tx))]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    settings = Settings(home=tmp_path / "my home")
    settings.create_home()
    with Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        yield Here(settings, ledger)


class LocalIndex:
    """A package index of this test alone.

    Attributes:
        max_age: How many seconds its answers may be kept.
        hashes: Whether its pages tell the hash of each archive.
        password: What the user `me` must give; None: anybody may ask.
        refused: How often somebody asked without it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.max_age = 0
        self.hashes = False
        self.password: str | None = None
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"

    def add(self, *archives: Path) -> None:
        for archive in archives:
            name = archive.name.partition("-")[0].replace("_", "-").lower()
            place = self.folder / "simple" / name
            place.mkdir(parents=True, exist_ok=True)
            (place / archive.name).write_bytes(archive.read_bytes())
            links = (path for path in sorted(place.iterdir()) if path.name != "index.html")
            (place / "index.html").write_text("".join(map(self._link, links)))

    def _link(self, archive: Path) -> str:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        fragment = f"#sha256={digest}" if self.hashes else ""
        return f'<a href="{archive.name}{fragment}">{archive.name}</a>\n'

    def stop(self) -> None:
        """Be gone, as when the network is."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, index: LocalIndex, *args: Any) -> None:
        self._index = index
        super().__init__(*args, directory=str(index.folder))

    def send_head(self) -> Any:
        """Answer in the form of PEP 691 where a test wrote it."""
        page = Path(self.translate_path(self.path)) / "index.json"
        if page.is_file():
            self.path = f"{self.path.rstrip('/')}/index.json"
            self.extensions_map = {**self.extensions_map, ".json": "application/vnd.pypi.simple.v1+json"}
        return super().send_head()

    def do_GET(self) -> None:
        wanted = self._index.password
        given = base64.b64encode(f"me:{wanted}".encode()).decode()
        if wanted is None or self.headers["Authorization"] == f"Basic {given}":
            super().do_GET()
            return
        self._index.refused += 1
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", f"max-age={self._index.max_age}")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing on the screen."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIndex]:
    folder = tmp_path / "index"
    folder.mkdir()
    index = LocalIndex(folder)
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    yield index
    index.stop()
