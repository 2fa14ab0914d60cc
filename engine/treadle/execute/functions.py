"""Function units: plain Python functions of the engine's own environment, called in the worker's process.

That costs microseconds, not milliseconds. The price: such a unit shares the worker with all others, so it has
no limits of its own, cannot be cancelled once it runs, and takes the worker with it if it crashes. What it
prints goes where the worker's own words go.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue, PydanticUserError, TypeAdapter
from pydantic_core import to_jsonable_python

from treadle.errors import CommandInvalid
from treadle.execute.imported import imports_stand, note_imports
from treadle.execute.records import DONE, Verdict, failed, judge_output, last_lines
from treadle.model.records import UnitRecord
from treadle.model.states import Cause
from treadle.model.units import ENGINE_ARGUMENTS
from treadle.scripts import note_script


@functools.lru_cache(maxsize=1024)
def find_function(name: str) -> Callable[..., Any]:
    """Return the function that a unit calls, found as `treadle.model.task.found_by` has it.

    A folder is put at the end of where modules are looked for.

    Raises:
        CommandInvalid: There is none.
    """
    module, qualname, folder = _read_name(name)
    if _is_in_script(name):
        note_script(module)
    if folder and folder not in sys.path:
        sys.path.append(folder)
    remedy = "Correct the task's function, or install its package where the workers run."
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandInvalid(f"There is no function {name!r}: {error}.", remedy=remedy) from error
    if not callable(found):
        raise CommandInvalid(f"{name!r} is not a function.", remedy=remedy)
    function: Callable[..., Any] = found
    return function


def _is_in_script(name: str) -> bool:
    return name.startswith("/")


def _read_name(name: str) -> tuple[str, str, str]:
    """Return a function's module, its name there, and the module's folder, empty if it is installed."""
    if _is_in_script(name):
        file, _, qualname = name.rpartition(":")
        folder, _, base = file.rpartition("/")
        return base.removesuffix(".py"), qualname, folder
    spelled, _, folder = name.partition("@")
    module, _, qualname = spelled.partition(":")
    return module, qualname, folder


def call_function(name: str, arguments: Mapping[str, JsonValue]) -> object:
    """Call a function with those of the engine's arguments that it takes, and all others.

    Arguments become what the function's annotations say, as far as pydantic knows a way.

    Args:
        name: As `find_function` takes it.
        arguments: By name.

    Raises:
        CommandInvalid: There is no such function.
        ValidationError: The arguments are not what its annotations say.
        Exception: Whatever the function raises.
    """
    read, unwanted = _reader(name)
    positional, named = read({key: value for key, value in arguments.items() if key not in unwanted})
    return find_function(name)(*positional, **named)


def is_as_in_its_files(name: str) -> bool:
    """Whether what this process ran of a function, and of modules beside its own, is what is in their files.

    Args:
        name: As `find_function` takes it. Without a folder its package is an installed one, and stays.
    """
    *_, folder = _read_name(name)
    return not folder or imports_stand(folder)


_Read = Callable[[dict[str, JsonValue]], tuple[tuple[object, ...], dict[str, object]]]


@functools.lru_cache(maxsize=1024)
def _reader(name: str) -> tuple[_Read, frozenset[str]]:
    """Return what converts a function's arguments, and which of the engine's it does not take."""
    function = find_function(name)

    @functools.wraps(function)
    def received(*positional: object, **named: object) -> tuple[tuple[object, ...], dict[str, object]]:
        return positional, named

    try:
        parameters = inspect.signature(function).parameters
        read: _Read = TypeAdapter(received).validate_python  # type: ignore[arg-type]  # stands for its call
    except (PydanticUserError, TypeError, ValueError, NameError):
        return (lambda named: ((), dict(named))), frozenset()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return read, frozenset() if takes_any else ENGINE_ARGUMENTS - parameters.keys()


class FunctionUnits:
    """Calls functions as units, one at a time.

    Args:
        host: Name of this machine.
        worker: Name of this worker.
    """

    def __init__(self, host: str, worker: str) -> None:
        self._host = host
        self._worker = worker

    def run(
        self, index: int, name: str, args: Mapping[str, JsonValue], *, is_init: bool, attempt: int
    ) -> UnitRecord:
        """Call a function with `args` as its keywords; what it returns is the unit's output.

        The record's memory is the worker's own peak so far, its cpu time that of the calling thread.

        Args:
            index: Place of the unit in its step.
            name: `module:qualname`.
            args: Keyword arguments.
            is_init: It is the init call of a compound task.
            attempt: How often it has been tried, this time included.
        """
        started_at = datetime.now(UTC)
        began, cpu_began = time.perf_counter(), time.thread_time()
        try:
            value = call_function(name, args)
        except CommandInvalid as error:
            verdict = failed(Cause.COMMAND_INVALID, str(error))
        except BaseException as error:  # noqa: BLE001 - SystemExit too is the unit's end, not the worker's
            verdict = failed(Cause.FAILED, _traceback(error))
        else:
            verdict = DONE if value is None else _judged(value, is_init=is_init)
        note_imports()
        return UnitRecord(
            index,
            verdict.state,
            verdict.cause,
            verdict.error,
            verdict.output,
            None,
            time.perf_counter() - began,
            time.thread_time() - cpu_began,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            self._host,
            self._worker,
            started_at,
            None,
            0,
            0,
            attempt,
        )


def _judged(value: object, *, is_init: bool) -> Verdict:
    try:
        output: JsonValue = json.loads(json.dumps(to_jsonable_python(value), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        return failed(Cause.INVALID_OUTPUT, f"What the function returned is not JSON: {error}.")
    return judge_output(output, is_init=is_init)


def _traceback(error: BaseException) -> str:
    """Return the traceback's last lines, without the frames of this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return last_lines("".join(traceback.format_exception(type(error), error, trace)))
