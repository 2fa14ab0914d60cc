"""What only a plugin's own code can tell: it is imported once, in an environment that is thrown away."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pydantic import ValidationError

from treadle.collect.environments.build import python_of
from treadle.collect.environments.interpreter import examine
from treadle.collect.plugins import ask_plugin
from treadle.collect.plugins.compatibility import compatibility_files
from treadle.collect.plugins.metadata import PluginMetadata, check_metadata
from treadle.collect.plugins.requirements import parse_requirements
from treadle.collect.plugins.walk import plugin_files
from treadle.collect.program import Ended, run_program
from treadle.collect.storage import writing_below
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import BuildFailed, SourceInvalid

_PASSED = re.compile(r"PATH|LANG|LC_\w+|TZ")
"""Variables that the plugin's code gets from ours; none of them holds a secret."""

_SECONDS = 120


def complete_metadata(metadata: PluginMetadata, plugin: Path, *, boundary: Path, uv: Uv) -> PluginMetadata:
    """Import a plugin to learn what could not be read, and keep what could.

    It is imported in a process of its own, with the requirements that are known, without our secrets, and
    with a limit of time; nothing of that stays.

    Args:
        metadata: What was read.
        plugin: The package's folder, or the one file.
        boundary: As for `plugin_files`.
        uv: How uv is run, with the settings and the progress.

    Raises:
        SourceInvalid: Its answer is not what a plugin may say.
        BuildFailed: Its environment could not be made, or importing it failed; the traceback is the detail.
        StorageFull: The temporary folder may not be written.
        Cancelled: The progress was told to stop.
    """
    uv.progress(f"importing {plugin.name} to learn its {', '.join(metadata.unknown)}")
    place = Path(gettempdir())
    with writing_below(place), TemporaryDirectory(prefix="treadle-plugin-", dir=place) as name:
        scratch = Path(name).resolve()
        for file, path in (*plugin_files(plugin, boundary=boundary), *compatibility_files()):
            target = scratch / "files" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _make_environment(scratch, metadata, plugin, uv)
        answer = _ask(scratch, plugin, uv)
    if "traceback" in answer:
        raise BuildFailed(
            f"{plugin.name} cannot be imported, and nothing else tells its {', '.join(metadata.unknown)}.",
            remedy="Write them as literals in its class, or mend what is wrong.",
            detail=str(answer["traceback"]),
        )
    return _completed(metadata, answer, plugin)


def _make_environment(scratch: Path, metadata: PluginMetadata, plugin: Path, uv: Uv) -> None:
    python = examine(uv.settings.python).path
    settings = uv.settings
    requirements = parse_requirements(metadata.requirements or "")
    options = ["--exclude-newer", settings.exclude_newer] if settings.exclude_newer else []
    if settings.wheelhouse is not None:
        options += ["--no-index", "--find-links", str(settings.wheelhouse)]
    try:
        uv.run(
            ["venv", "--no-project", "--python", str(python), str(scratch / "environment")], folder=scratch
        )
        if requirements:
            file = scratch / "requirements.txt"
            file.write_text("".join(f"{line.requirement}\n" for line in requirements), encoding="utf-8")
            rules = ["--no-build", "--index-strategy", "first-index", *options]
            into = ["--python", str(python_of(scratch / "environment"))]
            uv.run(["pip", "install", *rules, *into, "--requirements", str(file)], folder=scratch)
    except UvFailed as error:
        raise BuildFailed(
            f"No environment to import {plugin.name} in could be made.", detail=error.words
        ) from error


def _ask(scratch: Path, plugin: Path, uv: Uv) -> Mapping[str, object]:
    output = scratch / "answer.json"
    (scratch / "home").mkdir()
    program = str(Path(ask_plugin.__file__))
    words = [program, str(scratch / "files"), plugin.name.removesuffix(".py"), str(output)]
    passed = {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}
    own = {"HOME": str(scratch / "home"), "TMPDIR": str(scratch / "home")}
    try:
        ended = run_program(
            [str(python_of(scratch / "environment")), "-I", "-B", *words],
            folder=scratch / "home",
            environment={**passed, **own},
            seconds=min(_SECONDS, uv.settings.build_seconds),
            progress=uv.progress,
        )
    except subprocess.TimeoutExpired as error:
        return {"traceback": f"It took longer than {error.timeout:.0f} seconds."}
    if not output.is_file():
        return {"traceback": _last_words(ended)}
    answer = json.loads(output.read_text(encoding="utf-8"))
    return answer if isinstance(answer, dict) else {}


def _last_words(ended: Ended) -> str:
    return f"The process ended with status {ended.status}.\n{ended.errors}".strip()


def _completed(metadata: PluginMetadata, answer: Mapping[str, object], plugin: Path) -> PluginMetadata:
    learnt = {name: answer.get(name) for name in metadata.unknown}
    known = metadata.model_dump(exclude={"unknown", *learnt})
    try:
        completed = PluginMetadata.model_validate({**known, **learnt, "derived": True})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(map(str, first["loc"]))
        raise SourceInvalid(f"{plugin.name} has a {member} that is none: {first['msg']}.") from error
    check_metadata(completed)
    return completed
