"""The three modules of google/tf_mesh_renderer, under their own names, without its compiled op.

Programs written for that library change one import:

    from tfface.rendering.tf_mesh_renderer import camera_utils, mesh_renderer, rasterize_triangles

Names, arguments, defaults and conventions are that library's (Genova et al. 2018), not those of
`tfface`: world units are free, a triangle faces the viewer when its corners run clockwise (none is
left out for facing away), and what `rasterize_triangles` returns has its first row at the bottom.
Euler angles are in radians. What differs: numbers of pictures and vertices may be unknown until a
graph runs; a pixel centre on the edge between two
triangles belongs to one of them (there, to the later); z-buffers have no gradient in both.
"""

from tfface.rendering.tf_mesh_renderer import camera_utils, mesh_renderer, rasterize_triangles

__all__ = ["camera_utils", "mesh_renderer", "rasterize_triangles"]
