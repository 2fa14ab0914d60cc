"""PNG pictures for people: outlines over an image, and a sheet of many pictures."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PALETTE = np.array(
    [(230, 75, 53), (77, 187, 213), (255, 200, 60), (120, 200, 90), (240, 130, 200), (150, 140, 255)],
    dtype=np.uint8,
)
PAPER, INK = (255, 255, 255), (40, 40, 40)
GAP, CAPTION = 14, 28
CAPTION_KEY = "Title"


def draw_overlay(plane: np.ndarray, labels: np.ndarray, *, longer_side: int, thickness: int) -> np.ndarray:
    """Draw the outlines of regions over an image.

    Args:
        plane: (y, x) grey values, shown from their 1st to their 99.8th percentile.
        labels: (y, x) integers, 0 for background.
        longer_side: The picture's longer side has at least this many pixels; images are enlarged by a whole
            factor.
        thickness: Width of the outlines in pixels of the picture; they run just outside the regions.

    Returns:
        (y, x, 3) in 8 bits.
    """
    factor = math.ceil(longer_side / max(plane.shape)) if longer_side else 1
    low, high = np.percentile(plane, (1, 99.8))
    grey = np.clip((plane.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1) * 255
    picture = np.repeat(_enlarge(grey.astype(np.uint8), factor)[..., None], 3, axis=2)
    numbers = _enlarge(labels, factor)
    owner = highest_near(numbers, thickness)
    outline = owner != numbers
    picture[outline] = PALETTE[owner[outline] % len(PALETTE)]
    return picture


def highest_near(numbers: np.ndarray, reach: int) -> np.ndarray:
    """The highest number within a square of `reach` pixels around each pixel, (y, x)."""
    for axis in (0, 1):
        lines = np.moveaxis(numbers, axis, 0)
        highest = lines.copy()
        for step in range(1, min(reach, len(lines) - 1) + 1):
            np.maximum(highest[step:], lines[:-step], out=highest[step:])
            np.maximum(highest[:-step], lines[step:], out=highest[:-step])
        numbers = np.moveaxis(highest, 0, axis)
    return numbers


def draw_sheet(pictures: Sequence[Path], *, columns: int, tile: int, title: str) -> Image.Image:
    """Lay pictures out in rows under a title, each scaled into `tile` x `tile` pixels, with its caption."""
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    top = GAP + (2 * CAPTION if title else 0)
    step_x, step_y = tile + GAP, tile + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, top + rows * step_y), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), title, INK, ImageFont.load_default(26))
    font = ImageFont.load_default(15)
    for index, path in enumerate(pictures):
        left, upper = GAP + index % columns * step_x, top + index // columns * step_y
        with Image.open(path) as picture:
            caption = picture.info.get(CAPTION_KEY, path.stem)
            scale = tile / max(picture.size)
            size = (round(picture.width * scale), round(picture.height * scale))
            small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        sheet.paste(small, (left + (tile - size[0]) // 2, upper + (tile - size[1]) // 2))
        draw.text((left, upper + tile + 5), caption, INK, font)
    return sheet


def save_png(picture: np.ndarray | Image.Image, path: Path, caption: str) -> None:
    """Write a PNG with its caption inside, replacing an older one in one step."""
    info = PngInfo()
    info.add_text(CAPTION_KEY, caption)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(aside, format="PNG", pnginfo=info)
    aside.replace(path)


def _enlarge(plane: np.ndarray, factor: int) -> np.ndarray:
    return plane.repeat(factor, axis=0).repeat(factor, axis=1)
