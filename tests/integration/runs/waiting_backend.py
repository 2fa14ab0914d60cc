"""A build backend that waits for the file GO beside the project; tests copy it into one."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

STEM = "slow_tasks-1.0"
FILES = {
    "slow_tasks/__FRACTAL_MANIFEST__.json": (
        '{"manifest_version": "2", "task_list": [{"name": "Wait", "executable_parallel": "wait.py"}]}'
    ),
    "slow_tasks/wait.py": "",
    f"{STEM}.dist-info/METADATA": "Metadata-Version: 2.1\nName: slow-tasks\nVersion: 1.0\n",
    f"{STEM}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):  # noqa: ARG001
    while not Path("GO").exists():
        time.sleep(0.05)
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
        record = f"{STEM}.dist-info/RECORD"
        wheel.writestr(record, "".join(f"{path},,\n" for path in [*FILES, record]))
    return name
