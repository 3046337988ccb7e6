"""What goes wrong with files of published weights."""

from __future__ import annotations


class WeightsError(ValueError):
    """A file of weights that is damaged, or of another network; the message is one line."""
