"""The measurements behind tools/reproduce_identity_regression.py."""
