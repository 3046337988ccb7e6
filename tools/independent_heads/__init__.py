"""Test heads whose true geometry is not drawn from the default face model."""
