"""Threshold segmentation: from grey values to labelled regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import label

Polarity = Literal["auto", "bright", "dark"]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Labelled regions and how they were found.

    Attributes:
        labels: (y, x), 32-bit unsigned; 0 is background, regions are 1, 2, ... without gaps.
        threshold: The grey value between background and objects, after smoothing.
        polarity: Whether objects are brighter or darker than the threshold.
    """

    labels: np.ndarray
    threshold: float
    polarity: Literal["bright", "dark"]

    @property
    def regions(self) -> int:
        """Number of regions."""
        return int(self.labels.max(initial=0))


def segment_by_threshold(
    plane: np.ndarray,
    *,
    threshold: float | None = None,
    smoothing: float = 1.0,
    polarity: Polarity = "auto",
    split_depth: float = 0.0,
    min_area: int = 20,
    fill_holes: bool = True,
) -> Segmentation:
    """Label the objects of an image.

    Args:
        plane: (y, x) grey values.
        threshold: Grey value between background and objects; None takes Otsu's.
        smoothing: Standard deviation in pixels of a Gaussian applied first; 0 for none.
        polarity: Whether objects are bright or dark; `auto` takes the side that holds less of the image's
            border.
        split_depth: Touching objects are split by a watershed on the distance to the background where a
            neck is narrower than both sides by this many pixels of radius; 0 does not split.
        min_area: Regions of fewer pixels are dropped.
        fill_holes: Whether background enclosed by an object belongs to it.
    """
    smooth = ndimage.gaussian_filter(plane.astype(np.float32), smoothing) if smoothing > 0 else plane
    level = float(threshold_otsu(smooth)) if threshold is None else threshold
    mask = smooth > level
    if polarity == "auto":
        polarity = "bright" if _border(mask).mean() < 0.5 else "dark"
    if polarity == "dark":
        mask = ~mask
    if fill_holes:
        mask = ndimage.binary_fill_holes(mask)
    regions = split_touching(mask, split_depth) if split_depth > 0 else label(mask)
    return Segmentation(drop_small(regions, min_area), level, polarity)


def split_touching(mask: np.ndarray, depth: float) -> np.ndarray:
    """Label a mask, cutting it at necks: a watershed from the h-maxima of its distance transform."""
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask).astype(np.float32), 1)
    return watershed(-distance, label(h_maxima(distance, depth)), mask=mask)


def drop_small(labels: np.ndarray, min_area: int) -> np.ndarray:
    """Drop regions of fewer than `min_area` pixels and number the others 1, 2, ... in their order."""
    kept = np.bincount(labels.ravel()) >= min_area
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.uint32)
    return numbers[labels]


def _border(mask: np.ndarray) -> np.ndarray:
    return np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
