"""The measurements behind tools/reproduce_mofa.py, one kind of data a file."""
