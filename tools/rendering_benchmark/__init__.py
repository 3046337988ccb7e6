"""What tools/benchmark_rendering.py measures: meshes, and the renderers it compares."""
