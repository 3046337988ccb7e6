"""The parts of `tools/reproduce_fml.py`."""
