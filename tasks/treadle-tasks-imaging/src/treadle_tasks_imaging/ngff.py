"""Images and labels as OME-Zarr 0.5 (Zarr format 3) folders.

Follows OME-NGFF 0.5 (https://ngff.openmicroscopy.org/0.5/): an image is a group of arrays of falling
resolution, and its label images live in the group ``labels`` inside it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from treadle_tasks_imaging.locations import image_name
from treadle_tasks_imaging.pixels import to_dtype

if TYPE_CHECKING:
    from collections.abc import Callable

NGFF_VERSION = "0.5"
CHUNK = 512
SMALLEST_SIDE = 32
"""No level is made whose shorter side, in y or x, would fall below this many pixels."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image at full resolution, with what places it in space.

    Attributes:
        data: Pixels, one dimension per axis.
        axes: Names of the axes, `("y", "x")` or `("z", "y", "x")`.
        scale: Size of a pixel along each axis, in `unit`.
        unit: UDUNITS name of the unit of length, or None if the image is not calibrated.
        levels: Number of resolution levels, the full one included.
    """

    data: np.ndarray
    axes: tuple[str, ...]
    scale: tuple[float, ...]
    unit: str | None
    levels: int

    @property
    def is_3d(self) -> bool:
        """Whether the image is a stack."""
        return "z" in self.axes

    def with_data(self, data: np.ndarray) -> Image:
        """Other pixels in the same place; an axis that `data` lacks is dropped from the front."""
        kept = len(self.axes) - data.ndim
        return Image(data, self.axes[kept:], self.scale[kept:], self.unit, self.levels)


def read_image(folder: Path) -> Image:
    """Read an image at full resolution.

    Raises:
        FileNotFoundError: No OME-Zarr image is there.
        ValueError: Its axes are neither (y, x) nor (z, y, x).
    """
    return _read_multiscale(folder, "image")


def read_labels(folder: Path, name: str) -> np.ndarray:
    """Read the label image `name` of the image in `folder`, at full resolution.

    Raises:
        FileNotFoundError: The image has no such labels.
    """
    return _read_multiscale(folder / "labels" / name, "label image").data


def write_image(folder: Path, image: Image) -> None:
    """Write an image and its pyramid, replacing what is at `folder` in one step.

    The folder is written beside its final place and renamed, so that no reader sees half an image and a
    repeated attempt starts clean.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        group = zarr.open_group(aside, mode="w", zarr_format=3)
        group.attrs["ome"] = _write_pyramid(group, image, image_name(folder), halve_by_mean)
        if folder.exists():
            shutil.rmtree(folder)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_labels(folder: Path, name: str, image: Image, source: dict[str, Any]) -> None:
    """Write a label image into the image at `folder`, replacing labels of the same name.

    Args:
        folder: The image that was segmented.
        name: Name of the label image.
        image: Labels as unsigned 32-bit integers, 0 for the background, in the geometry of the image.
        source: How the labels were made, kept in their attributes.
    """
    labels = zarr.open_group(folder, mode="r+").require_group("labels")
    group = labels.create_group(name, overwrite=True)
    ome = _write_pyramid(group, image, name, halve_by_stride)
    ome["image-label"] = {"version": NGFF_VERSION, "source": {"image": "../../"}}
    group.attrs.update({"ome": ome, "segmentation": source})
    names = labels.attrs.get("ome", {}).get("labels", [])
    labels.attrs["ome"] = {"version": NGFF_VERSION, "labels": sorted({*names, name})}


def halve_by_mean(data: np.ndarray) -> np.ndarray:
    """Halve y and x by the mean of 2 x 2 pixels, an odd edge repeated; the dtype is kept."""
    padding = [(0, 0)] * (data.ndim - 2) + [(0, size % 2) for size in data.shape[-2:]]
    even = np.pad(data, padding, mode="edge").astype(np.float32)
    pairs = even.reshape(*even.shape[:-2], even.shape[-2] // 2, 2, even.shape[-1] // 2, 2)
    return to_dtype(pairs.mean(axis=(-3, -1)), data.dtype)


def halve_by_stride(data: np.ndarray) -> np.ndarray:
    """Halve y and x by taking every second pixel, as labels need."""
    return data[..., ::2, ::2]


def _write_pyramid(
    group: zarr.Group, image: Image, name: str, halve: Callable[[np.ndarray], np.ndarray]
) -> dict[str, Any]:
    """Write the levels as arrays `0`, `1`, ... and return the group's OME metadata."""
    datasets = []
    data = image.data
    for level in range(image.levels):
        if level > 0:
            data = halve(data)
            if min(data.shape[-2:]) < SMALLEST_SIDE:
                break
        chunks = tuple(min(size, CHUNK) for size in data.shape[-2:])
        chunks = (1,) * (data.ndim - 2) + chunks
        group.create_array(
            str(level), data=np.ascontiguousarray(data), chunks=chunks, dimension_names=image.axes
        )
        scale = [
            size * (1 if axis == "z" else 2**level)
            for axis, size in zip(image.axes, image.scale, strict=True)
        ]
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    unit = {} if image.unit is None else {"unit": image.unit}
    axes = [{"name": axis, "type": "space", **unit} for axis in image.axes]
    return {"version": NGFF_VERSION, "multiscales": [{"name": name, "axes": axes, "datasets": datasets}]}


def _read_multiscale(folder: Path, kind: str) -> Image:
    try:
        group = zarr.open_group(folder, mode="r")
        multiscale = group.attrs["ome"]["multiscales"][0]
    except (FileNotFoundError, KeyError) as error:
        raise FileNotFoundError(f"{folder}: no OME-Zarr 0.5 {kind} is there") from error
    axes = tuple(axis["name"] for axis in multiscale["axes"])
    if axes not in {("y", "x"), ("z", "y", "x")}:
        raise ValueError(f"{folder}: axes are {', '.join(axes)}; these tasks take y, x or z, y, x")
    first = multiscale["datasets"][0]
    return Image(
        data=np.asarray(group[first["path"]][...]),
        axes=axes,
        scale=tuple(first["coordinateTransformations"][0]["scale"]),
        unit=multiscale["axes"][-1].get("unit"),
        levels=len(multiscale["datasets"]),
    )
