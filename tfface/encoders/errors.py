"""What a person can do wrong with encoders."""

from __future__ import annotations


class WeightsError(ValueError):
    """A file of weights that is damaged, or of another network; the message is one line."""


class ImageSizeError(ValueError):
    """An encoder does not take images of this size; the message is one line."""
