"""Uneven background of a single image, estimated from the image itself."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

from treadle_tasks_imaging.pixels import to_dtype

Operation = Literal["subtract", "divide"]

OUTLIER_DEVIATIONS = 2.0
PASSES = 2


def estimate_background(plane: np.ndarray, sigma: float) -> np.ndarray:
    """Estimate a smooth background under the objects of an image.

    A wide Gaussian is fitted, pixels that deviate from it by more than two robust standard deviations
    (objects) are left out, and it is fitted again to the rest, twice. Because the result is smooth, it is
    computed on block means of an eighth of `sigma`.

    Args:
        plane: (y, x) of any real type.
        sigma: Standard deviation of the Gaussian in pixels, a few times the radius of the objects.

    Returns:
        (y, x) in 32-bit floats.
    """
    block = max(1, int(sigma // 8))
    coarse = _block_means(plane.astype(np.float32), block)
    background = _smooth(coarse, sigma / block)
    for _ in range(PASSES):
        residual = coarse - background
        centred = np.abs(residual - np.median(residual))
        deviation = 1.4826 * np.median(centred)
        weight = (centred <= OUTLIER_DEVIATIONS * deviation).astype(np.float32)
        covered = _smooth(weight, sigma / block)
        fitted = _smooth(coarse * weight, sigma / block) / np.maximum(covered, 1e-3)
        background = np.where(covered > 1e-3, fitted, background)
    return _enlarge(background, block, plane.shape)


def correct_background(data: np.ndarray, sigma: float, operation: Operation) -> np.ndarray:
    """Flatten the background of an image, keeping its mean level and its pixel type.

    Args:
        data: (y, x), or (z, y, x): a stack has one background, that of its mean plane.
        sigma: See `estimate_background`.
        operation: `subtract` for light that was added, `divide` for uneven illumination.
    """
    plane = data.mean(axis=0) if data.ndim == 3 else data
    background = estimate_background(plane, sigma)
    level = background.mean()
    pixels = data.astype(np.float32)
    if operation == "subtract":
        return to_dtype(pixels - background + level, data.dtype)
    return to_dtype(pixels / np.maximum(background, np.finfo(np.float32).eps) * level, data.dtype)


def _smooth(plane: np.ndarray, sigma: float) -> np.ndarray:
    return ndimage.gaussian_filter(plane, sigma, mode="nearest")


def _block_means(plane: np.ndarray, block: int) -> np.ndarray:
    padded = np.pad(plane, [(0, -size % block) for size in plane.shape], mode="edge")
    height, width = padded.shape
    return padded.reshape(height // block, block, width // block, block).mean(axis=(1, 3))


def _enlarge(coarse: np.ndarray, block: int, shape: tuple[int, int]) -> np.ndarray:
    """Interpolate block means linearly; the centre of a block lies half a block inside it."""
    positions = [(np.arange(size) + 0.5) / block - 0.5 for size in shape]
    grid = np.meshgrid(*positions, indexing="ij")
    return ndimage.map_coordinates(coarse, grid, order=1, mode="nearest", output=np.float32)
