"""Readers of published face models, from the files that users get from their makers.

`read_face_model(path)` tells the format by itself. Each reader states where its model comes from,
its licence, its units and what of it is not used; all return a `MorphableModel` in the conventions
of `tfface`: millimetres, colours in [0, 1], bases scaled to one standard deviation, triangles
counter-clockwise seen from outside, the origin where the default face model has its own.

What a file lacks (landmarks, jaw lines, regions) is carried over from the default face model by
laying that over the mean face: `transfer_landmarks` does it for any face mesh.
"""

from tfface.morphable.readers.annotations import mirrored_vertices, transfer_landmarks
from tfface.morphable.readers.basel_2009 import read_basel_2009
from tfface.morphable.readers.basel_2017 import read_basel_2017
from tfface.morphable.readers.dispatch import read_face_model
from tfface.morphable.readers.flame import read_flame
from tfface.morphable.readers.ict_facekit import read_ict_facekit
from tfface.morphable.readers.registration import Registration, register
from tfface.morphable.readers.surrey import read_surrey

__all__ = [
    "Registration",
    "mirrored_vertices",
    "read_basel_2009",
    "read_basel_2017",
    "read_face_model",
    "read_flame",
    "read_ict_facekit",
    "read_surrey",
    "register",
    "transfer_landmarks",
]
