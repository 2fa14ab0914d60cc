"""The executables as an engine runs them: a fresh process, two options, a JSON file in and one out."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files


def run(executable, tmp_path, **arguments):
    (tmp_path / "args.json").write_text(json.dumps(arguments))
    script = str(files("treadle_tasks_imaging").joinpath(executable))
    command = [sys.executable, script, "--args-json", "args.json", "--out-json", "out.json"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_a_unit_writes_its_result(tmp_path):
    done = run(
        "tasks/import_images_init.py",
        tmp_path,
        zarr_dir="/data",
        images=[{"source": "skimage:ihc", "plane": "dab"}],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text()) == {
        "parallelization_list": [
            {
                "zarr_url": "/data/ihc_dab.zarr",
                "init_args": {"source": "skimage:ihc", "plane": "dab", "name": None},
            }
        ]
    }


def test_a_bad_argument_fails_the_unit_and_is_named(tmp_path):
    done = run("tasks/segment_by_threshold.py", tmp_path, zarr_url="/data/x.zarr", polarity="sideways")
    assert done.returncode != 0
    assert "polarity" in done.stderr
    assert not (tmp_path / "out.json").exists()
