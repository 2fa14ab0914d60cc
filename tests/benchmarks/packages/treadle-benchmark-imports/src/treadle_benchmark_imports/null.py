"""Reads its arguments into a model, as a task does, and ends."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from pydantic import BaseModel


class Arguments(BaseModel):
    """What a unit is given."""

    zarr_url: str
    threshold: float = float(np.pi)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--args-json", required=True, type=Path)
    parser.add_argument("--out-json", required=True, type=Path)
    options = parser.parse_args()
    Arguments(**json.loads(options.args_json.read_text()))
    options.out_json.write_text("{}")
