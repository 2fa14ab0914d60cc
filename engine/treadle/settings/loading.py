"""Settings put together from their sources, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from treadle.errors import SettingsInvalid
from treadle.model.constrained import Value
from treadle.model.overlay import Overlay
from treadle.model.profile import ClusterProfile, SshProfile
from treadle.settings.fractal_pythons import fractal_pythons_layer
from treadle.settings.layers import (
    FILE_NAME,
    Layer,
    environment_layer,
    file_layer,
    find_file,
    fractal_layer,
    qhana_layer,
)
from treadle.settings.rows import masked
from treadle.settings.values import PREFIX, Settings


def load_settings(flags: Mapping[str, object] | None = None, *, folder: Path | None = None) -> Settings:
    """Read all settings.

    Args:
        flags: Values given on the command line, by the setting's name; None stands for "not given".
        folder: Where the search for `treadle.toml` starts; the current folder if None.

    Raises:
        SettingsInvalid: A file cannot be read, or a name or value is wrong; every problem is named
            with its place.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers = [Layer(given, dict.fromkeys(given, "flag"))]
    layers.append(environment_layer())
    project_file = find_file(folder or Path.cwd())
    if project_file is not None:
        layers.append(file_layer(project_file))
    first = _merge([layer.without_clusters() for layer in layers])  # a cluster may be whole in the end only
    home_file = first.home / FILE_NAME
    if home_file != project_file and home_file.is_file():
        layer = file_layer(home_file)
        if "home" in layer.values:
            what = f"{layer.places['home']} sets home, but a file inside the home folder cannot move it."
            raise SettingsInvalid(what, remedy=f"Remove that line; set {PREFIX}HOME instead.")
        layers.append(layer)
    layers += [fractal_layer(first.cache_folder), fractal_pythons_layer(), qhana_layer()]
    return _merge(layers)


def _merge(layers: list[Layer]) -> Settings:
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for layer in reversed(layers):
        clusters = _laid_over(values.get("clusters"), layer.values.get("clusters"))
        values.update(layer.values)
        if clusters is not None:
            values["clusters"] = clusters
        places.update(layer.places)
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # validated here, by pydantic
    except ValidationError as error:
        raise _invalid(error, places) from error
    settings._sources.update(places)
    return settings


def _laid_over(lower: object, upper: object) -> object:
    if upper is None:
        return lower
    if not (isinstance(lower, Mapping) and isinstance(upper, Mapping)):
        return upper
    return {**lower, **{name: _laid_over(lower.get(name), value) for name, value in upper.items()}}


def _invalid(error: ValidationError, places: Mapping[str, str]) -> SettingsInvalid:
    problems = []
    for problem in error.errors(include_url=False):
        path = [str(key) for key in problem["loc"] if key != "[key]"]
        name = ".".join(path)
        message = problem["msg"].removeprefix("Value error, ")
        place = _nearest(path, places)
        if problem["type"] == "extra_forbidden":
            problems.append(f"{place}: there is no setting {name!r}.")
        elif problem["type"] == "missing":
            problems.append(f"{place}: {name} is required.")
        elif problem["type"] == "value_error" and isinstance(problem["input"], Mapping):
            problems.append(f"{place}: {name} {message}.")
        else:
            problems.append(f"{place}: {name} cannot be {_shown(problem['input'])}: {message}.")
    return SettingsInvalid(" ".join(problems), remedy=f"Correct or remove it; {_known(error)}.")


def _nearest(path: list[str], places: Mapping[str, str]) -> str:
    for end in range(len(path), 0, -1):
        name = ".".join(path[:end])
        found = [places[other] for other in places if other == name or other.startswith(f"{name}.")]
        if found:
            return found[0]
    return "default"


def _known(error: ValidationError) -> str:
    """Name what there is where the first problem is."""
    path = error.errors(include_url=False)[0]["loc"]
    if path[0] != "clusters":
        return f"the settings are {', '.join(Settings.model_fields)}"
    tables: dict[str, type[Value]] = {
        "defaults": Overlay,
        "gpu": Overlay,
        "force": Overlay,
        "ssh": SshProfile,
    }
    model: type[Value] = ClusterProfile
    if len(path) > 3:
        model = tables.get(str(path[2]), ClusterProfile)
    return f"values there are {', '.join(model.model_fields)}"


def _shown(value: object) -> str:
    return repr(masked(value)) if isinstance(value, str) else repr(value)
