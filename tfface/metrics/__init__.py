"""The papers' error measures, in NumPy. Each docstring states its protocol."""

from tfface.metrics.closest_points import ClosestPoints, MeshDistance, closest_points
from tfface.metrics.curves import CumulativeCurve, cumulative_curve
from tfface.metrics.depth import DepthErrors, depth_errors
from tfface.metrics.geometric import (
    ScanToMesh,
    Similarity,
    fit_similarity,
    hausdorff_distance,
    per_vertex_error,
    scan_to_mesh,
)
from tfface.metrics.landmarks import (
    INNER_46,
    box_normalized_error,
    interocular_distance,
    mean_by_yaw,
    mean_landmark_distance,
    normalized_mean_error,
)
from tfface.metrics.photometric import absolute_colour_error, photometric_error
from tfface.metrics.point_to_plane import PointToPlane, symmetric_point_to_plane

__all__ = [
    "INNER_46",
    "ClosestPoints",
    "CumulativeCurve",
    "DepthErrors",
    "MeshDistance",
    "PointToPlane",
    "ScanToMesh",
    "Similarity",
    "absolute_colour_error",
    "box_normalized_error",
    "closest_points",
    "cumulative_curve",
    "depth_errors",
    "fit_similarity",
    "hausdorff_distance",
    "interocular_distance",
    "mean_by_yaw",
    "mean_landmark_distance",
    "normalized_mean_error",
    "per_vertex_error",
    "photometric_error",
    "scan_to_mesh",
    "symmetric_point_to_plane",
]
