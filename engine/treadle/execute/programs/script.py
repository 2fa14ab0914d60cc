"""Runs a Python file in this process as `python FILE ...` does, and ends the process as that ends."""

from __future__ import annotations

import _io
import contextlib
import gc
import os
import signal
import sys
import types
from importlib.machinery import SourceFileLoader
from typing import Any, Callable, NoReturn

from .source import Source

INTERRUPTED = -int(signal.SIGINT)
FLUSH_FAILED = 120


def run_script(words: list[str], source: Source, at_end: Callable[[], None]) -> NoReturn:
    """Be the process of a command.

    Args:
        words: The command: interpreter, file, arguments.
        source: The file.
        at_end: Called when all of the file's own code has run but destructors.
    """
    main = _new_main(words, source.folder)
    status = _execute(source.code, main.__dict__)
    status = _finalise(main, status, at_end)
    if status == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def _new_main(words: list[str], folder: str) -> types.ModuleType:
    file = words[1]
    sys.argv = words[1:]
    if sys.version_info >= (3, 10):
        sys.orig_argv = list(words)
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, folder)
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __file__=file,
        __builtins__=sys.modules["builtins"],
        __loader__=SourceFileLoader("__main__", file),
    )
    if sys.version_info < (3, 14):
        main.__dict__.update(__annotations__={}, __cached__=None)
    sys.modules["__main__"] = main
    return main


def _execute(code: types.CodeType, namespace: dict[str, Any]) -> int:
    try:
        exec(code, namespace)  # noqa: S102 - what this program is for
    except SystemExit as asked:
        return _exit_status(asked.code)
    except BaseException as error:  # noqa: BLE001 - as the interpreter does
        trace = error.__traceback__.tb_next if error.__traceback__ else None  # without this frame
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    _flush(sys.stdout)
    sys.stderr.write(f"{code}\n")
    return 1


def _finalise(main: types.ModuleType, status: int, at_end: Callable[[], None]) -> int:
    """Do what `Py_FinalizeEx` does for code that could notice, in its order; return the status.

    Not all of memory is torn down: that takes long, and the kernel does it too. But destructors of what the
    file's globals hold run, and files that are still open are flushed, as they are there.
    """
    threading = sys.modules.get("threading")
    if threading is not None:
        _quietly(threading._shutdown)
    atexit = sys.modules.get("atexit")
    if atexit is not None:
        _quietly(atexit._run_exitfuncs)
    flushed = [_flush(sys.stdout), _flush(sys.stderr)]
    at_end()
    main.__dict__.clear()
    gc.collect()
    # The standard streams were there before the fork, where the collector was told to forget all there was.
    files: list[Any] = [sys.__stdout__, sys.__stderr__]
    files += [held for held in gc.get_objects() if issubclass(type(held), _io._IOBase)]
    for file in files:
        with contextlib.suppress(Exception):  # nor does a file's destructor say anything
            file.flush()
    return status if all(flushed) else FLUSH_FAILED


def _quietly(function: Callable[[], object]) -> None:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - the interpreter prints it and goes on
        trace = error.__traceback__.tb_next if error.__traceback__ else None  # without this frame
        sys.excepthook(type(error), error.with_traceback(trace), trace)


def _flush(file: Any) -> bool:
    try:
        if file is not None and not file.closed:
            file.flush()
    except Exception as error:  # noqa: BLE001 - any object can stand for a stream
        message = f"Exception ignored in: {file!r}\n{type(error).__name__}: {error}\n"
        with contextlib.suppress(Exception):
            sys.stderr.write(message)
        return False
    return True
