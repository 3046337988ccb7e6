"""Keras layers of the model-based decoder, one idea a file."""
