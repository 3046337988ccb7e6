"""Pictures and meshes of reconstructed faces."""
