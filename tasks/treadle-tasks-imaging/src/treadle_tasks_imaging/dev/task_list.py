"""The tasks of the package, as `fractal-manifest create` reads them."""

from __future__ import annotations

from fractal_task_tools.task_models import (
    ConverterCompoundTask,
    NonParallelTask,
    ParallelTask,
)

AUTHORS = "The Treadle developers"

TASK_LIST = [
    ConverterCompoundTask(
        name="Import Images",
        executable_init="tasks/import_images_init.py",
        executable="tasks/import_images.py",
        meta_init={"cpus_per_task": 1, "mem": 500},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Conversion",
        tags=["import", "OME-Zarr", "scikit-image"],
    ),
    ParallelTask(
        name="Illumination Correction",
        executable="tasks/illumination_correction.py",
        input_types={"illumination_corrected": False},
        output_types={"illumination_corrected": True},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Image Processing",
        tags=["background", "shading"],
    ),
    ParallelTask(
        name="Maximum Projection",
        executable="tasks/maximum_projection.py",
        input_types={"is_3D": True},
        output_types={"is_3D": False},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Image Processing",
        tags=["projection", "3D"],
    ),
    ParallelTask(
        name="Segment by Threshold",
        executable="tasks/segment_by_threshold.py",
        input_types={"is_3D": False},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Segmentation",
        tags=["Otsu", "watershed", "labels"],
    ),
    ParallelTask(
        name="Measure Regions",
        executable="tasks/measure_regions.py",
        input_types={"is_3D": False},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Measurement",
        tags=["features", "table"],
    ),
    ParallelTask(
        name="Overlay Picture",
        executable="tasks/overlay_picture.py",
        input_types={"is_3D": False},
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Visualisation",
        tags=["PNG"],
    ),
    NonParallelTask(
        name="Contact Sheet",
        executable="tasks/contact_sheet.py",
        meta={"cpus_per_task": 1, "mem": 1000},
        category="Visualisation",
        tags=["PNG", "montage"],
    ),
]
