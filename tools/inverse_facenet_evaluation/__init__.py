"""The experiments behind tools/reproduce_inverse_facenet.py."""
