"""The papers' error measures, in NumPy. Each docstring states its protocol."""

from tfface.metrics.closest_points import ClosestPoints, MeshDistance, closest_points
from tfface.metrics.geometric import (
    ScanToMesh,
    Similarity,
    fit_similarity,
    per_vertex_error,
    scan_to_mesh,
)
from tfface.metrics.landmarks import (
    interocular_distance,
    mean_landmark_distance,
    normalized_mean_error,
)
from tfface.metrics.photometric import photometric_error

__all__ = [
    "ClosestPoints",
    "MeshDistance",
    "ScanToMesh",
    "Similarity",
    "closest_points",
    "fit_similarity",
    "interocular_distance",
    "mean_landmark_distance",
    "normalized_mean_error",
    "per_vertex_error",
    "photometric_error",
    "scan_to_mesh",
]
