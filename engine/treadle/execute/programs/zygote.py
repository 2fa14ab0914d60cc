"""The warm interpreter: imports what its environment's tasks import, and forks keepers.

It is the environment's own interpreter, started with the variables that its units get, so that they and
all libraries find them as in a fresh process. Two sources say what to import: the import statements of
a task's file, and what earlier units still had to import. The file itself is not imported: under a second
name it would register, count or announce things twice, which a fresh process does once.

- request `{prepare: file, modules}`: get ready to run a file; answer `{refused, spoilt, resident_bytes}`:
  `refused` says why it must run as a fresh process, `spoilt` whether that goes for all other files as well
- request `{keep: folder}` with a socket: fork a keeper on that socket; answer `{pid}` or `{errno}`
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import select
import signal
import socket
import sys
from typing import Any, NoReturn

from . import kernel
from .frames import receive_with_descriptor, send
from .keeper import IDLE_SECONDS, Keeper
from .randomness import Randomness
from .rehearsal import rehearse
from .script import run_script
from .source import Source

# They start a device or threads, or open connections, when they are imported.
NEVER = frozenset(
    {"cudf", "cupy", "jax", "jaxlib", "mpi4py", "pycuda", "pyopencl", "ray", "rmm", "tensorflow"}
)

ACCELERATORS = ("/dev/nvidia", "/dev/kfd", "/dev/dri", "/dev/infiniband")

# Native threads, by the 15 characters the kernel keeps, that a forked child can do without: jemalloc takes
# care of forks itself; that of Polars tidies up, and its pools of workers start when they are first used.
SAFE_THREADS = frozenset({"jemalloc_bg_thd", "polars-ooc-clea"})


class Zygote:
    """One instance a process.

    Args:
        control: Connection with the worker.
        idle_seconds: How long it waits with nothing to do before it ends; a keeper not longer either.
    """

    def __init__(self, control: socket.socket, idle_seconds: float) -> None:
        self._control = control
        self._idle_seconds = idle_seconds
        self._sources: dict[str, Source] = {}
        self._tried: set[str] = set()
        self._known: frozenset[str] = frozenset()
        self._variables: dict[str, str] = {}
        self._randomness = Randomness()
        self._installed = _installed_folders()
        self._descriptors = self._open_descriptors()

    def serve(self) -> None:
        """Serve until the worker wants no more, and all keepers have ended."""
        while True:
            if select.select([self._control], [], [], self._idle_seconds)[0]:
                request, descriptor = receive_with_descriptor(self._control)
                if request is None:
                    break
                if "prepare" in request:
                    send(self._control, self._prepare(request["prepare"], request["modules"]))
                elif descriptor is not None:
                    send(self._control, self._fork_keeper(request["keep"], descriptor))
            elif not self._has_keepers():
                return
        while self._has_keepers(options=0):
            pass

    def _prepare(self, file: str, modules: list[str]) -> dict[str, Any]:
        refused, spoilt = None, False
        try:
            source = self._sources.setdefault(file, Source(file))
            refused = self._objection_to(source)
        except (OSError, SyntaxError, ValueError) as error:
            refused = f"{type(error).__name__}: {error}"
        if refused is None:
            with self._randomness.watched():
                for name in [*source.imports, *modules]:
                    self._import(name, source)
                rehearse()
            refused = self._objection_to(source)
            if refused is None:
                refused = self._obstacle()
                spoilt = refused is not None
        self._freeze()
        return {"refused": refused, "spoilt": spoilt, "resident_bytes": kernel.resident_bytes([os.getpid()])}

    def _objection_to(self, source: Source) -> str | None:
        if source.sets_up_imports:
            return "it sets variables or paths that imports look at"
        never = NEVER.intersection(name.partition(".")[0] for name in source.imports)
        if never:
            return f"it imports {', '.join(sorted(never))}"
        hidden = source.hides([name for name in sys.modules if name not in sys.builtin_module_names])
        if hidden:
            return f"files beside it have names of modules: {', '.join(hidden)}"
        return None

    def _import(self, name: str, source: Source) -> None:
        """Import a module if that may be done early; what fails here fails in the unit or is caught there."""
        if name in self._tried or name in sys.modules or source.hides([name]):
            return
        if name.partition(".")[0] in NEVER:
            return
        self._tried.add(name)
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and self._is_installed(spec.origin):
                importlib.import_module(name)
        except BaseException:  # noqa: BLE001 - packages do all kinds of things on import, sys.exit among them
            return

    def _is_installed(self, origin: str | None) -> bool:
        return origin is None or origin in ("built-in", "frozen") or origin.startswith(self._installed)

    def _obstacle(self) -> str | None:
        """Say why this process must not be forked from now on, if so."""
        never = NEVER.intersection(name.partition(".")[0] for name in sys.modules)
        if never:
            return f"its imports import {', '.join(sorted(never))}"
        opened = [
            target
            for descriptor, target in self._open_descriptors().items()
            if self._descriptors.get(descriptor) != target and not _is_harmless(target)
        ]
        if opened:
            return f"its imports leave {', '.join(sorted(opened))} open"
        return self._thread_obstacle()

    def _thread_obstacle(self) -> str | None:
        """Say which threads survive a fork in this, the parent process.

        Libraries that know of forks (OpenBLAS does) end their threads before one and start them again when
        there is work; threads of others would be missing in the child.
        """
        if len(os.listdir("/proc/self/task")) > 1:
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        names = set()
        for thread in os.listdir("/proc/self/task"):
            if int(thread) != os.getpid():
                with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as stream:
                    names.add(stream.read().strip())
        unsafe = sorted(names - SAFE_THREADS)
        return f"its imports start threads: {', '.join(unsafe)}" if unsafe else None

    def _open_descriptors(self) -> dict[int, str]:
        found = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
            except OSError:  # the one that listed the folder
                continue
        return found

    def _freeze(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        gc.collect()
        self._randomness.find_generators()
        gc.freeze()

    def _has_keepers(self, options: int = os.WNOHANG) -> bool:
        try:
            while os.waitpid(-1, options)[0]:
                pass
        except ChildProcessError:
            return False
        return True

    def _fork_keeper(self, folder: str, descriptor: int) -> dict[str, Any]:
        self._has_keepers()
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(descriptor)
            return {"errno": error.errno}
        if pid == 0:
            self._keep(zygote, folder, descriptor)
        os.close(descriptor)
        return {"pid": pid}

    def _keep(self, zygote: int, folder: str, descriptor: int) -> NoReturn:
        try:
            kernel.die_with_parent(zygote, signal.SIGTERM)
            kernel.adopt_orphans()
            self._control.close()
            self._known = frozenset(sys.modules)
            self._variables = dict(os.environ)
            idle_seconds = min(self._idle_seconds, IDLE_SECONDS)
            Keeper(socket.socket(fileno=descriptor), folder, self._become, idle_seconds).serve()
        finally:
            os._exit(0)

    def _become(self, keeper: Keeper, request: dict[str, Any]) -> NoReturn:
        """In the forked child: be the unit."""
        keeper.settle()
        keeper.started()
        self._randomness.renew()
        words = request["words"]
        source = self._sources[words[1]]

        def report() -> None:
            if len(sys.modules) == len(self._known):
                return
            if self._variables == os.environ:  # else what it imported may depend on what it has set
                new = [name for name in list(sys.modules) if name not in self._known]
                learnt = [name for name in new if name not in self._tried and self._is_worth_importing(name)]
                if learnt:
                    keeper.report_imports(learnt)

        run_script(words, source, report)

    def _is_worth_importing(self, name: str) -> bool:
        spec = getattr(sys.modules[name], "__spec__", None)
        return spec is not None and spec.name == name and self._is_installed(spec.origin)


def _installed_folders() -> tuple[str, ...]:
    """Return where the standard library and the environment's packages are, which do not change."""
    site = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]
    folders = [os.path.dirname(os.__file__), *site]
    return tuple({folder + os.sep for path in folders for folder in (path, os.path.realpath(path))})


def _is_harmless(target: str) -> bool:
    """Whether processes may share a descriptor: what is behind it has neither a position nor an owner."""
    return target.startswith(("/dev/", "/proc/", "/sys/")) and not target.startswith(ACCELERATORS)


def main(idle_seconds: str, control: str) -> None:
    """Be a zygote."""
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # this program's folder: a unit has its own file's there
    connection = socket.socket(fileno=int(control))
    connection.set_inheritable(False)
    for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
        del sys.modules[name]
    Zygote(connection, float(idle_seconds)).serve()
