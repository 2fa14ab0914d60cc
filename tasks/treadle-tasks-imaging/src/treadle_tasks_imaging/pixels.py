"""Pixels of a source, and pixel types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treadle_tasks_imaging.sources import source_file

if TYPE_CHECKING:
    from pathlib import Path

    from treadle_tasks_imaging.sources import ImageSource, Plane

PICTURE_MODES = {"1": "L", "LA": "L", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
"""Pillow's modes whose values are not grey or RGB, and what they are read as."""


def to_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bring computed values back to a pixel type: integers are rounded and clipped to the type's range."""
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


def read_source(source: ImageSource) -> np.ndarray:
    """Read a source as grey values.

    Returns:
        (y, x) or (z, y, x). Luminance and single colours keep the file's integer type; stains are optical
        densities in 32-bit floats.

    Raises:
        ValueError: The file is neither a grey image, a colour image, nor a grey stack.
    """
    path = source_file(source.source)
    pixels, is_colour = _read_tiff(path) if path.suffix.lower() in {".tif", ".tiff"} else _read_picture(path)
    return take_plane(pixels, source.plane) if is_colour else pixels


def take_plane(pixels: np.ndarray, plane: Plane) -> np.ndarray:
    """Reduce a colour image, (y, x, 3) or (y, x, 4), to one plane; see `ImageSource.plane`.

    Stains are separated as Ruifrok and Johnston do (scikit-image's `rgb2hed`).
    """
    from skimage.color import rgb2gray, rgb2hed, rgba2rgb

    dtype = pixels.dtype
    largest = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0
    if pixels.shape[-1] == 4:
        pixels = to_dtype(rgba2rgb(pixels) * largest, dtype)
    if plane == "luminance":
        return to_dtype(rgb2gray(pixels) * largest, dtype)
    if plane in {"red", "green", "blue"}:
        return pixels[..., ("red", "green", "blue").index(plane)]
    return rgb2hed(pixels)[..., ("hematoxylin", "eosin", "dab").index(plane)].astype(np.float32)


def _read_picture(path: Path) -> tuple[np.ndarray, bool]:
    from PIL import Image

    with Image.open(path) as picture:
        shown_as = PICTURE_MODES.get(picture.mode)
        pixels = np.asarray(picture.convert(shown_as) if shown_as else picture)
    return pixels, pixels.ndim == 3


def _read_tiff(path: Path) -> tuple[np.ndarray, bool]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0].get_axes()
        pixels = tiff.series[0].asarray()
    if series == "YXS":
        return pixels, True
    if series == "YX" or (len(series) == 3 and series.endswith("YX")):
        return pixels, False
    raise ValueError(f"{path}: axes {series}; a grey image, a colour image or a grey stack is needed")
