"""Expression units of MakeHuman, natural combinations of them, and the modes these span."""

from __future__ import annotations

import numpy as np

from default_face_model.geometry import LEFT_EYE, RIGHT_EYE, Head, fit_sphere
from default_face_model.sliders import ETHNICITIES
from default_face_model.sources import Sources

# The ball's turn at full strength, degrees (x down, y to the subject's left) as the lids expect.
GAZE_DEGREES = {"Up": (-14.0, 0.0), "Down": (18.0, 0.0), "In": (0.0, 24.0), "Out": (0.0, 24.0)}
# A unit of no use: it moves only the tongue, which the head lacks.
SKIPPED = ("tongueOut",)
SIDES = ("Left", "Right")


def expression_units(sources: Sources, head: Head, reference: np.ndarray) -> dict[str, np.ndarray]:
    """Returns unit name -> displacement (V, 3) mm of the head at full strength.

    The 34 expression units are averaged over the three ethnicities; the face units come as they
    are, but the balls turn rigidly about their centres.

    Args:
        sources: the packages.
        head: topology of the head.
        reference: (V_base, 3) the average adult's base mesh.
    """
    count = len(reference)
    placed = head.place(reference)
    moving = head.base_index >= 0
    units = {}
    for name in sources.target_names(f"expression/units/{ETHNICITIES[0]}"):
        base = sum(
            (sources.target(f"expression/units/{e}/{name}", count) for e in ETHNICITIES),
            np.zeros((count, 3)),
        ) / len(ETHNICITIES)
        units[name] = base[np.maximum(head.base_index, 0)] * moving[:, None]
    for name in sources.face_unit_names():
        if name in SKIPPED:
            continue
        base = sources.face_unit(name, count)
        units[name] = base[np.maximum(head.base_index, 0)] * moving[:, None]
        if name.startswith("eyeLook"):
            units[name] += _turn_ball(name, head, placed)
    return units


def _turn_ball(name: str, head: Head, placed: np.ndarray) -> np.ndarray:
    side = name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
    left = name.endswith("Left")
    pitch, yaw = GAZE_DEGREES[side]
    # Inward is to the subject's right (-x) for the left eye.
    sign = -1.0 if left == (side == "In") else 1.0
    rows = head.part == (LEFT_EYE if left else RIGHT_EYE)
    x, y = np.radians([pitch, sign * yaw])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    moved = np.zeros_like(placed)
    centre, _ = fit_sphere(placed[rows])
    offset = placed[rows] - centre
    moved[rows] = offset @ (about_y @ about_x - np.eye(3)).T
    return moved


class ExpressionSampler:
    """Draws strengths of the units as faces in photos show them.

    Args:
        names: the units' names, in the order of the strengths.
        rng: source of randomness.
    """

    def __init__(self, names: list[str], rng: np.random.Generator) -> None:
        self._index = {name: i for i, name in enumerate(names)}
        self._names = names
        self._rng = rng

    def draw(self, count: int) -> np.ndarray:
        """Returns strengths (count, U), nearly all in [0, 1]."""
        kinds = [
            (self._neutral, 0.15),
            (self._smile, 0.2),
            (self._speech, 0.2),
            (self._lids, 0.08),
            (self._brows, 0.1),
            (self._mood, 0.12),
            (self._mixed, 0.15),
        ]
        shares = np.array([share for _, share in kinds])
        strengths = np.zeros((count, len(self._names)))
        for row, kind in zip(strengths, self._rng.choice(len(kinds), count, p=shares), strict=True):
            kinds[kind][0](row)
            self._gaze(row)
            if self._rng.random() < 0.1:
                self._both(row, "eyeBlink", 0.1, 0.6)
        return strengths

    def _set(self, row: np.ndarray, name: str, low: float, high: float) -> float:
        value = self._rng.uniform(low, high)
        row[self._index[name]] += value
        return value

    def _both(self, row: np.ndarray, name: str, low: float, high: float) -> float:
        """Sets a unit's two sides to nearly the same strength."""
        value = self._rng.uniform(low, high)
        for side in SIDES:
            row[self._index[name + side]] += value * self._rng.uniform(0.85, 1.0)
        return value

    def _neutral(self, row: np.ndarray) -> None:
        for unit in self._rng.choice(len(row), 4, replace=False):
            if self._names[unit] not in ("mouthClose", "mouth-open"):
                row[unit] = self._rng.uniform(0.0, 0.1)

    def _smile(self, row: np.ndarray) -> None:
        strength = self._both(row, "mouthSmile", 0.15, 0.75)
        self._both(row, "cheekSquint", 0.1 * strength, 0.6 * strength)
        self._both(row, "eyeSquint", 0.0, 0.4 * strength)
        if self._rng.random() < 0.5:
            self._both(row, "mouthUpperUp", 0.2, 0.7)
            self._both(row, "mouthLowerDown", 0.0, 0.4)
            self._set(row, "jawOpen", 0.05, 0.3)
        if self._rng.random() < 0.3:
            self._set(row, "mouth-corner-puller", 0.0, 0.4)

    def _speech(self, row: np.ndarray) -> None:
        self._set(row, "jawOpen", 0.03, 0.3 if self._rng.random() < 0.7 else 0.75)
        shape = self._rng.choice(
            [
                "mouthFunnel",
                "mouthPucker",
                "mouthRollLower",
                "mouthShrugUpper",
                "mouth-parling",
                "mouth-part-later",
                "mouth-eversion",
            ]
        )
        self._set(row, shape, 0.0, 0.5)
        if self._rng.random() < 0.4:
            self._both(row, "mouthStretch", 0.0, 0.4)
            self._both(row, "mouthLowerDown", 0.0, 0.5)
        if self._rng.random() < 0.15:
            row[self._index["mouthClose"]] = row[self._index["jawOpen"]] * 0.8

    def _lids(self, row: np.ndarray) -> None:
        kind = self._rng.choice(["eyeBlink", "eyeSquint", "eyeWide"], p=[0.5, 0.25, 0.25])
        # The blink closes the lids at about 0.75; wide eyes bulge above 0.6.
        self._both(row, kind, 0.2, 0.55 if kind == "eyeWide" else 0.8)
        if self._rng.random() < 0.15:
            row[self._index[kind + SIDES[self._rng.integers(2)]]] = 0.0

    def _brows(self, row: np.ndarray) -> None:
        if self._rng.random() < 0.6:
            self._both(row, "browOuterUp", 0.1, 0.9)
            self._set(row, "browInnerUp", 0.0, 0.9)
        else:
            self._both(row, "browDown", 0.1, 0.9)
            self._both(row, "eyeSquint", 0.0, 0.5)
        if self._rng.random() < 0.2:
            row[self._index["browOuterUp" + SIDES[self._rng.integers(2)]]] = 0.0

    def _mood(self, row: np.ndarray) -> None:
        mood = self._rng.integers(5)
        if mood == 0:  # sadness
            self._both(row, "mouthFrown", 0.2, 0.8)
            self._set(row, "browInnerUp", 0.1, 0.8)
        elif mood == 1:  # anger
            self._both(row, "browDown", 0.2, 0.9)
            self._both(row, "mouthPress", 0.0, 0.6)
            self._both(row, "noseSneer", 0.0, 0.6)
        elif mood == 2:  # surprise
            self._both(row, "browOuterUp", 0.3, 1.0)
            self._both(row, "eyeWide", 0.1, 0.6)
            self._set(row, "jawOpen", 0.05, 0.6)
        elif mood == 3:  # disgust
            self._both(row, "noseSneer", 0.3, 1.0)
            self._both(row, "mouthUpperUp", 0.1, 0.6)
            self._both(row, "eyeSquint", 0.1, 0.5)
        else:  # doubt, a kiss, puffed cheeks
            unit = self._rng.choice(
                [
                    "mouthLeft",
                    "mouthRight",
                    "mouthPucker",
                    "cheekPuff",
                    "mouthRollUpper",
                    "jawForward",
                    "jawLeft",
                    "jawRight",
                ]
            )
            self._set(row, unit, 0.1, 0.6)

    def _mixed(self, row: np.ndarray) -> None:
        for unit in self._rng.choice(len(row), self._rng.integers(2, 5), replace=False):
            name = self._names[unit]
            if name.startswith("eyeLook") or name == "mouthClose":
                continue
            limit = 0.3 if name in ("mouth-open", "jawOpen", "mouth-pursing") else 0.5
            row[unit] += self._rng.uniform(0.0, limit)

    def _gaze(self, row: np.ndarray) -> None:
        """Turns both eyes together, half the time a little, sometimes far."""
        if self._rng.random() < 0.4:
            return
        yaw, pitch = self._rng.normal(0.0, 0.3, 2).clip(-0.9, 0.9)
        for side in SIDES:
            inward = yaw if side == "Right" else -yaw  # positive yaw looks to the subject's left
            row[self._index[f"eyeLook{'In' if inward > 0 else 'Out'}{side}"]] = abs(inward)
            row[self._index[f"eyeLook{'Up' if pitch > 0 else 'Down'}{side}"]] = abs(pitch)
