"""Names and places of images: URLs, folders, and what lies beside an image."""

from __future__ import annotations

from pathlib import Path


def local_folder(zarr_url: str) -> Path:
    """The folder of an OME-Zarr image given by its URL.

    Raises:
        ValueError: The URL is not an absolute path.
    """
    if not zarr_url.startswith("/"):
        raise ValueError(f"{zarr_url}: these tasks read and write local folders only")
    return Path(zarr_url)


def image_name(folder: Path) -> str:
    """Name of an image: its folder's, without the `.zarr` or `.ome.zarr` at the end."""
    return folder.name.removesuffix(".zarr").removesuffix(".ome")


def sibling(folder: Path, suffix: str) -> Path:
    """Folder beside an image for what is derived from it: `coins.zarr` and `_x` give `coins_x.zarr`."""
    name = image_name(folder)
    return folder.with_name(name + suffix + folder.name[len(name) :])


def overlay_file(folder: Path) -> Path:
    """Where the overlay picture of the image in `folder` is: `overlays/<name>.png` beside the image."""
    return folder.parent / "overlays" / f"{image_name(folder)}.png"
