"""Clusters among the settings: where their values come from, and how they are described."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from treadle.errors import SettingsInvalid, UnknownName
from treadle.model.overlay import Overlay
from treadle.model.profile import THIS_MACHINE, ClusterProfile
from treadle.settings import Settings, describe, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("TREADLE_", "FRACTAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    return folder


def sources(settings: Settings) -> dict[str, str]:
    return {row.name: row.source for row in describe(settings)}


def test_this_machine_and_slurm_are_always_there(folder: Path) -> None:
    settings = load_settings(folder=folder)
    assert settings.clusters == {"local": THIS_MACHINE, "slurm": ClusterProfile()}
    assert settings.cluster("local").kind == "local"
    with pytest.raises(UnknownName, match=r"no cluster 'pbs'\. Choose one of local, slurm"):
        settings.cluster("pbs")


def test_values_of_a_cluster_are_laid_one_by_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "treadle.toml").write_text(
        '[clusters.slurm]\nmax_jobs = 3\nmax_cores = 7\n\n[clusters.slurm.defaults]\npartition = "home"\n'
        'account = "lab"\n[clusters.other.ssh]\nhost = "login"\n'
    )
    (folder / "treadle.toml").write_text(
        'clusters.slurm.max_jobs = 4\n\nclusters.slurm.defaults.partition = "project"\n'
    )
    monkeypatch.setenv("TREADLE_HOME", str(home))
    monkeypatch.setenv("TREADLE_CLUSTERS", json.dumps({"slurm": {"defaults": {"memory": "2G"}}}))
    settings = load_settings(folder=folder)
    slurm = settings.cluster("slurm")
    assert (slurm.max_jobs, slurm.max_cores) == (4, 7)
    assert slurm.defaults == Overlay(partition="project", account="lab", memory=2000)
    assert settings.cluster("other").ssh is not None
    seen = sources(settings)
    assert seen["clusters.slurm.max_jobs"] == f"{folder}/treadle.toml, line 1"
    assert seen["clusters.slurm.max_cores"] == f"{home}/treadle.toml, line 3"
    assert seen["clusters.slurm.defaults.partition"] == f"{folder}/treadle.toml, line 3"
    assert seen["clusters.slurm.defaults.account"] == f"{home}/treadle.toml, line 7"
    assert seen["clusters.slurm.defaults.memory"] == "environment variable TREADLE_CLUSTERS"
    assert seen["clusters.slurm.job_time"] == "default"
    assert seen["clusters.other.ssh.host"] == f"{home}/treadle.toml, line 9"


def test_a_cluster_has_a_row_for_each_value_that_there_is(tmp_path: Path) -> None:
    profile = ClusterProfile(
        defaults=Overlay(prologue=("module load a", "module load b"), constraint=""), exports={"A": "1"}
    )
    rows = {row.name: row for row in describe(Settings(home=tmp_path, clusters={"slurm": profile}))}
    assert rows["clusters.slurm.defaults.prologue"].value == "module load a; module load b"
    assert rows["clusters.slurm.defaults.constraint"].value == '""'
    assert rows["clusters.slurm.exports"].value == "A=1"
    assert rows["clusters.slurm.max_jobs"].value == "10"
    assert rows["clusters.slurm.exports"].source == "argument"
    assert "clusters.slurm.ssh" not in rows
    assert "clusters.slurm.gpu.partition" not in rows
    assert all(row.meaning for row in rows.values())
    assert not any(name.startswith("clusters.local") for name in rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[clusters.slurm]\nmax_job = 1\n",
            r"line 2: there is no setting 'clusters\.slurm\.max_job'\. .*values there are kind, .*max_jobs",
        ),
        (
            "[clusters.slurm]\n[clusters.slurm.force]\n\nqos = 'x'\n",
            r"line 4: there is no setting 'clusters\.slurm\.force\.qos'\. .*values there are cpus, memory",
        ),
        ("[clusters.slurm]\nmax_jobs = 0\n", r"line 2: clusters\.slurm\.max_jobs cannot be 0: "),
        (
            "[clusters.slurm]\njob_time = 'soon'\n",
            r"line 2: clusters\.slurm\.job_time cannot be 'soon': must be",
        ),
        ("[clusters.slurm.ssh]\nport = 22\n", r"line 2: clusters\.slurm\.ssh\.host is required"),
        ("[clusters.a]\nmax_time = '1'\n", r"line 2: clusters\.a has a job_time of 01:00:00, more than"),
        (
            "[clusters.local]\nmax_jobs = 2\n",
            r"line 2: clusters\.local is this machine, which has no max_jobs",
        ),
        ("clusters = 3\n", r"line 1: clusters cannot be 3"),
    ],
)
def test_a_broken_value_is_named_with_its_line_and_what_there_is_instead(
    folder: Path, text: str, message: str
) -> None:
    (folder / "treadle.toml").write_text(text)
    with pytest.raises(SettingsInvalid, match=message):
        load_settings(folder=folder)


def test_a_cluster_may_be_whole_only_with_all_that_is_said_of_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's longest time is shorter than a job's default time; the home folder has a shorter one."""
    (folder / "treadle.toml").write_text('[clusters.slurm]\nmax_time = "30"\nssh.user = "ana"\n')
    (tmp_path / "treadle.toml").write_text('[clusters.slurm]\njob_time = "20"\nssh.host = "login"\n')
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path))
    slurm = load_settings(folder=folder).cluster("slurm")
    assert (slurm.job_seconds, slurm.max_seconds) == (1200, 1800)


def test_clusters_in_the_environment_are_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_CLUSTERS", "slurm")
    with pytest.raises(SettingsInvalid, match="TREADLE_CLUSTERS: clusters must be a JSON object"):
        load_settings(folder=folder)


@pytest.fixture
def fractal_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    batching = {f"{which}_{what}": 8 for which in ("target", "max") for what in ("cpus_per_job", "num_jobs")}
    batching |= {"target_mem_per_job": 8000, "max_mem_per_job": "16G"}
    document = {
        "default_slurm_config": {"partition": "main", "mem": "1G"},
        "batching_config": batching,
        "user_local_exports": {"MODELS": "models"},
    }
    path = tmp_path / "config_slurm.json"
    path.write_text(json.dumps(document))
    monkeypatch.setenv("FRACTAL_SLURM_CONFIG_FILE", str(path))
    return path


def test_what_an_older_fractal_server_was_told_holds_where_treadle_toml_says_nothing(
    folder: Path, fractal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "treadle.toml").write_text('[clusters.slurm]\nmax_jobs = 4\ndefaults.partition = "short"\n')
    monkeypatch.setenv("FRACTAL_SLURM_WORKER_PYTHON", "/shared/python")
    monkeypatch.setenv("FRACTAL_SLURM_POLL_INTERVAL", "90")
    monkeypatch.setenv("FRACTAL_SLURM_SBATCH_SLEEP", "0.5")
    settings = load_settings(folder=folder)
    slurm = settings.cluster("slurm")
    assert (slurm.max_jobs, slurm.max_cpus_per_job, slurm.max_memory_per_job) == (4, 8, 16_000)
    assert slurm.defaults == Overlay(partition="short", memory=1000)
    assert slurm.exports == {"MODELS": str(settings.cache_folder / "models")}
    assert (slurm.python, slurm.poll_seconds, slurm.poll_seconds_max) == ("/shared/python", 90, 90)
    assert slurm.submit_interval_seconds == 0.5
    seen = sources(settings)
    assert seen["clusters.slurm.max_jobs"] == f"{folder}/treadle.toml, line 2"
    assert seen["clusters.slurm.defaults.memory"] == f"{fractal_file} (FRACTAL_SLURM_CONFIG_FILE)"
    assert seen["clusters.slurm.exports"] == f"{fractal_file} (FRACTAL_SLURM_CONFIG_FILE)"
    assert seen["clusters.slurm.poll_seconds"] == "environment variable FRACTAL_SLURM_POLL_INTERVAL"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "CONFIG_FILE",
            "/nowhere/config.json",
            r"/nowhere/config\.json, which FRACTAL_SLURM_CONFIG_FILE names",
        ),
        ("WORKER_PYTHON", "python3", "FRACTAL_SLURM_WORKER_PYTHON: .*must be an absolute path"),
        ("POLL_INTERVAL", "often", "FRACTAL_SLURM_POLL_INTERVAL: 'often' is no number of seconds"),
    ],
)
def test_what_an_older_fractal_server_could_not_use_is_refused_by_its_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"FRACTAL_SLURM_{variable}", value)
    with pytest.raises(SettingsInvalid, match=message):
        load_settings(folder=folder)


def test_a_wrong_fractal_file_is_named_with_the_place_in_it(folder: Path, fractal_file: Path) -> None:
    document = json.loads(fractal_file.read_text())
    document["default_slurm_config"]["qos"] = "x"
    fractal_file.write_text(json.dumps(document))
    with pytest.raises(
        SettingsInvalid, match=r"config_slurm\.json, .*\n.*default_slurm_config\.qos: is not a known"
    ):
        load_settings(folder=folder)


def test_empty_variables_of_fractal_say_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRACTAL_SLURM_CONFIG_FILE", "")
    assert load_settings(folder=folder).cluster("slurm") == ClusterProfile()
