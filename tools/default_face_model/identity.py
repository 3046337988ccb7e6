"""Draws natural heads from MakeHuman's targets and sliders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from default_face_model.geometry import Head
from default_face_model.sliders import AGES, BUILDS, ETHNICITIES, SEXES, HeadTargets, Slider
from default_face_model.sources import Sources
from default_face_model.warps import WARP_MM, warp_fields

# Mean weights of the ethnicities' targets (Dirichlet parameters) and of the sexes' (Beta).
ETHNICITY_CONCENTRATION = (0.45, 0.45, 0.8)
SEX_CONCENTRATION = (0.6, 0.5)
# Standard deviations of the sliders by the first word of their name, and exceptions. The skull's
# sliders are damped: free, they make eggheads, and hair hides the skull in photos anyway.
WIDTHS = {
    "head": 0.09,
    "chin": 0.2,
    "nose": 0.2,
    "mouth": 0.2,
    "eye": 0.2,
    "cheek": 0.22,
    "forehead": 0.1,
    "ear": 0.18,
    "eyebrows": 0.22,
}
SPECIAL_WIDTHS = {
    # These move or turn the whole head: pose, not identity.
    "head-trans-forward+backward": 0.0,
    "head-trans-out+in": 0.0,
    "head-trans-up+down": 0.0,
    "head-angle-out+in": 0.0,
    # These are far larger than their kind at full strength, or make elves.
    "forehead-nubian-incr+decr": 0.03,
    "forehead-scale-vert-incr+decr": 0.05,
    "ear-shape-pointed": 0.0,
    "ear-shape-triangle": 0.0,
    "ear-shape-square": 0.08,
    "ear-shape-round": 0.12,
    "head-back-scale-depth-incr+decr": 0.08,
    # These turn or shift a feature sideways.
    "mouth-trans-out+in": 0.04,
    "nose-trans-out+in": 0.05,
    # These make ages and builds, which vary widely.
    "head-fat-incr+decr": 0.22,
    "head-age-incr+decr": 0.22,
}
ASYMMETRY_WIDTH = 0.1


@dataclass(frozen=True)
class HeadWeights:
    """Strengths of the targets for N heads."""

    macro: np.ndarray  # (N, ethnicities * sexes * ages)
    build: np.ndarray  # (N, sexes * ages * builds)
    sliders: np.ndarray  # (N, S) in [-1, 1]
    asymmetries: np.ndarray  # (N, A) in [-1, 1]
    warps: np.ndarray  # (N, 3 P) mm, strengths of the smooth warps


class HeadGenerator:
    """Makes heads from target strengths; everything in mm, in the base mesh's frame.

    Args:
        sources: the packages.
        head: topology of the head.
        base_vertices: (V_base, 3) the base mesh.
        offsets: slider name -> centre of its distribution.
    """

    def __init__(
        self,
        sources: Sources,
        head: Head,
        base_vertices: np.ndarray,
        offsets: dict[str, float],
        warp_mm: float = WARP_MM,
    ) -> None:
        self.head = head
        reference = base_vertices + reference_displacement(sources, len(base_vertices))
        targets = HeadTargets(sources, head, reference)
        self.base = head.place(base_vertices)
        self.reference = head.place(reference)
        self.sliders = [s for s in targets.sliders() if slider_width(s.name) > 0]
        self.asymmetries = targets.asymmetries()
        self._macro = np.stack(
            [
                targets.displacement(f"macrodetails/{e}-{s}-{a}")
                for e in ETHNICITIES
                for s in SEXES
                for a in AGES
            ]
        )
        self._build = np.stack(
            [
                targets.displacement(f"macrodetails/universal-{s}-{a}-{b}")
                for s in SEXES
                for a in AGES
                for b in BUILDS
            ]
        )
        unknown = set(offsets) - {s.name for s in self.sliders}
        if unknown:
            raise ValueError(f"offsets: expected names of sliders, got {sorted(unknown)}")
        self._offsets = np.array([offsets.get(s.name, 0.0) for s in self.sliders])
        self._widths = np.array([slider_width(s.name) for s in self.sliders])
        self._warp_basis = warp_fields(self.reference, head)
        self._warp_mm = warp_mm

    def draw(self, count: int, rng: np.random.Generator) -> HeadWeights:
        """Returns the strengths of `count` random people: adults, some in their teens."""
        ethnicity = rng.dirichlet(ETHNICITY_CONCENTRATION, count)
        male = rng.beta(*SEX_CONCENTRATION, count)
        age = _draw_ages(count, rng)
        sex = np.stack([1.0 - male, male], axis=1)
        weight = np.clip(rng.normal(0.0, 0.3, count), -0.8, 0.8)
        muscle = np.clip(rng.normal(0.0, 0.3, count), -0.8, 0.8)
        extremes = np.stack([-weight, weight, -muscle, muscle], axis=1).clip(0.0) / 2.0
        build = np.concatenate([1.0 - extremes.sum(1, keepdims=True), extremes], axis=1)
        sliders = rng.normal(size=(count, len(self.sliders))) * self._widths
        one_sided = np.array([s.one_sided for s in self.sliders])
        sliders = np.where(one_sided, abs(sliders), sliders) + self._offsets
        asymmetry = rng.normal(size=(count, len(self.asymmetries))) * ASYMMETRY_WIDTH
        warps = rng.normal(size=(count, len(self._warp_basis))) * self._warp_mm
        return HeadWeights(
            macro=np.einsum("ne,ns,na->nesa", ethnicity, sex, age).reshape(count, -1),
            build=np.einsum("ns,na,nb->nsab", sex, age, build).reshape(count, -1),
            sliders=sliders.clip(-1.0, 1.0),
            asymmetries=asymmetry.clip(-0.4, 0.4),
            warps=warps,
        )

    def heads(self, weights: HeadWeights) -> np.ndarray:
        """Returns the heads (N, V, 3) mm."""
        return (
            self.base
            + np.tensordot(weights.macro, self._macro, 1)
            + np.tensordot(weights.build, self._build, 1)
            + _slide(weights.sliders, self.sliders)
            + _slide(weights.asymmetries, self.asymmetries)
            + np.tensordot(weights.warps, self._warp_basis, 1)
        )


def slider_width(name: str) -> float:
    """Returns the standard deviation of a slider's strength."""
    return SPECIAL_WIDTHS.get(name, WIDTHS[name.split("-")[0]])


def reference_displacement(sources: Sources, count: int) -> np.ndarray:
    """Returns what turns the neutral base mesh into an average adult, (count, 3) mm."""
    names = [(f"macrodetails/{e}-{s}-young", 1.0 / 6.0) for e in ETHNICITIES for s in SEXES]
    names += [(f"macrodetails/universal-{s}-young-{BUILDS[0]}", 0.5) for s in SEXES]
    return sum((w * sources.target(n, count) for n, w in names), np.zeros((count, 3)))


def _draw_ages(count: int, rng: np.random.Generator) -> np.ndarray:
    """Returns weights of child, young, old (count, 3): 12 % teens, half young, the rest older."""
    kind = rng.random(count)
    old = np.where(kind < 0.6, rng.uniform(0.0, 0.35, count), rng.uniform(0.3, 0.9, count))
    child = np.where(kind > 0.88, rng.uniform(0.0, 0.3, count), 0.0)
    old = np.where(child > 0, 0.0, old)
    return np.stack([child, 1.0 - child - old, old], axis=1)


def _slide(strengths: np.ndarray, sliders: list[Slider]) -> np.ndarray:
    positive = np.stack([s.positive for s in sliders])
    negative = np.stack([s.negative for s in sliders])
    return np.tensordot(strengths.clip(0.0), positive, 1) + np.tensordot(
        (-strengths).clip(0.0), negative, 1
    )
