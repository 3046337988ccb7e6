"""The sliders of MakeHuman's modelling tool that shape a head, as displacements of its vertices.

A slider runs over [-1, 1]: its positive side adds one target, its negative side another, or takes
the same one away where it has no opposite. Left and right sliders of the same kind are tied into a
symmetric one; the `asym` targets give the asymmetry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from default_face_model.geometry import Head
from default_face_model.sources import Sources

ETHNICITIES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
AGES = ("child", "young", "old")
BUILDS = (
    "averagemuscle-averageweight",
    "averagemuscle-minweight",
    "averagemuscle-maxweight",
    "minmuscle-averageweight",
    "maxmuscle-averageweight",
)
FOLDERS = ("head", "chin", "nose", "mouth", "eyes", "cheek", "forehead", "ears", "eyebrows")
# Opposite endings of a pair of targets; a pair shares the rest of its name.
OPPOSITES = (
    ("incr", "decr"),
    ("up", "down"),
    ("out", "in"),
    ("forward", "backward"),
    ("uncompress", "compress"),
    ("convex", "concave"),
)


@dataclass(frozen=True)
class Slider:
    """One slider: displacements (V, 3) mm of the head at +1 and at -1."""

    name: str
    positive: np.ndarray
    negative: np.ndarray

    @property
    def one_sided(self) -> bool:
        """Whether MakeHuman has a target only for the positive side."""
        return "+" not in self.name


def pair_names(names: list[str]) -> dict[str, tuple[str, str | None]]:
    """Returns slider name -> (positive target, negative target or None).

    The slider keeps both the base name and the kind of ending (`nose-trans-up+down` beside
    `nose-trans-out+in`), for the same base name comes with several kinds.
    """
    known = set(names)
    pairs: dict[str, tuple[str, str | None]] = {}
    for name in names:
        stem, _, ending = name.rpartition("-")
        for positive, negative in OPPOSITES:
            if ending == positive and f"{stem}-{negative}" in known:
                pairs[f"{stem}-{positive}+{negative}"] = (name, f"{stem}-{negative}")
                break
            if ending == negative and f"{stem}-{positive}" in known:
                break
        else:
            pairs[name] = (name, None)
    return pairs


class HeadTargets:
    """Displacements of the head's vertices by the targets, about a reference shape.

    The eyes follow a sphere fitted to their helper, which is very nearly linear in the targets.
    """

    def __init__(self, sources: Sources, head: Head, reference: np.ndarray) -> None:
        self._sources, self._head, self._reference = sources, head, reference
        self._placed = head.place(reference)

    def displacement(self, target: str) -> np.ndarray:
        """Returns the head's displacement (V, 3) mm by one target at full strength."""
        moved = self._reference + self._sources.target(target, len(self._reference))
        return self._head.place(moved) - self._placed

    def sliders(self) -> list[Slider]:
        """Returns all local sliders, left and right tied."""
        result = []
        for folder in FOLDERS:
            for name, targets in pair_names(self._sources.target_names(folder)).items():
                if name.startswith("r-"):
                    continue
                positive = self._tied(folder, targets[0])
                negative = -positive if targets[1] is None else self._tied(folder, targets[1])
                result.append(Slider(name.removeprefix("l-"), positive, negative))
        return result

    def asymmetries(self) -> list[Slider]:
        """Returns the sliders that move one side: `asym-*-l` against `asym-*-r`."""
        result = []
        for name in self._sources.target_names("asym"):
            if name.endswith("-l") and not name.startswith("asymm"):
                other = f"{name[:-2]}-r"
                result.append(
                    Slider(
                        name[:-2],
                        self.displacement(f"asym/{name}"),
                        self.displacement(f"asym/{other}"),
                    )
                )
        return result

    def _tied(self, folder: str, name: str) -> np.ndarray:
        sides = [name] if not name.startswith("l-") else [name, f"r-{name[2:]}"]
        return sum(
            (self.displacement(f"{folder}/{side}") for side in sides), np.zeros_like(self._placed)
        )
