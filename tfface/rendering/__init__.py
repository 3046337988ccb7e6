"""Pure functions on tensors: cameras, rotations, normals, lights, sampling, rasterisation."""
