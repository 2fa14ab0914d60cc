"""Image analysis tasks on OME-Zarr images, for Treadle and every engine that runs Fractal tasks."""
