"""Where images come from: files, and the photographs inside the scikit-image wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SKIMAGE = "skimage:"
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")

Plane = Literal["luminance", "red", "green", "blue", "hematoxylin", "eosin", "dab"]


class ImageSource(BaseModel):
    """One image to import."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(
        min_length=1,
        description="Absolute path of an image file, or `skimage:` and the name of an image that the "
        "scikit-image wheel carries, such as `skimage:coins`.",
    )
    plane: Plane = Field(
        default="luminance",
        description="What to take from a colour image: its luminance, one colour, or the optical density of "
        "one stain by colour deconvolution. Grey images are taken as they are.",
    )
    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Name of the new image; by default the file's, and the plane's unless that is luminance.",
    )

    @property
    def image_name(self) -> str:
        """Name of the image that the import makes."""
        stem = Path(self.source.removeprefix(SKIMAGE)).stem.replace(" ", "_")
        return self.name or (stem if self.plane == "luminance" else f"{stem}_{self.plane}")


def folder_sources(folder: str, pattern: str, plane: Plane) -> list[ImageSource]:
    """Image files of a folder that match a pattern, in order of their names.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"{folder}: not a folder")
    files = sorted(path for path in Path(folder).glob(pattern) if path.suffix.lower() in SUFFIXES)
    return [ImageSource(source=str(path.absolute()), plane=plane) for path in files]


def source_file(source: str) -> Path:
    """File of a source; nothing is ever downloaded.

    Raises:
        FileNotFoundError: There is no such file, or scikit-image ships no such image; what it ships is
            listed.
    """
    if not source.startswith(SKIMAGE):
        path = Path(source)
        if not path.is_absolute() or not path.is_file():
            raise FileNotFoundError(f"{source}: no such file (paths are absolute)")
        return path
    name = source.removeprefix(SKIMAGE)
    shipped = shipped_images()
    if name not in shipped:
        raise FileNotFoundError(f"{source}: scikit-image ships {', '.join(sorted(shipped))}")
    return shipped[name]


def shipped_images() -> dict[str, Path]:
    """Images inside the installed scikit-image wheel, by name; scikit-image itself is not imported."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-image is not installed")
    folder = Path(spec.origin).parent / "data"
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
