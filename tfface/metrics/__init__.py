"""The papers' error measures, in NumPy. Each docstring states its protocol."""

from tfface.metrics.closest_points import ClosestPoints, MeshDistance, closest_points
from tfface.metrics.geometric import (
    ScanToMesh,
    Similarity,
    fit_similarity,
    hausdorff_distance,
    per_vertex_error,
    scan_to_mesh,
)
from tfface.metrics.landmarks import (
    interocular_distance,
    mean_landmark_distance,
    normalized_mean_error,
)
from tfface.metrics.photometric import absolute_colour_error, photometric_error

__all__ = [
    "ClosestPoints",
    "MeshDistance",
    "ScanToMesh",
    "Similarity",
    "absolute_colour_error",
    "closest_points",
    "fit_similarity",
    "hausdorff_distance",
    "interocular_distance",
    "mean_landmark_distance",
    "normalized_mean_error",
    "per_vertex_error",
    "photometric_error",
    "scan_to_mesh",
]
