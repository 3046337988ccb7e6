"""Analysis by synthesis: codes that explain pictures best (high-fidelity MoFA, section 9.1)."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfface.fitting.face_energy import FaceEnergy, Pictures

STEPS = 5
DAMPING = 1e-3  # of the diagonal of J^T J, at first
_EASE, _STRAIN = 0.2, 10.0  # factors of the damping after a step that helped, or did not
_LEAST = 1e-12  # added to the diagonal, for what no residual tells of


@dataclass(frozen=True, eq=False)
class Fit:
    """Codes that were fitted.

    Attributes:
        code: `[B, D]`.
        energies: `[1 + steps, B]`, before and after each step, of the vertices visible then.
        taken: `[steps, B]` bool, which steps were not taken back.
    """

    code: tf.Tensor
    energies: tf.Tensor
    taken: tf.Tensor


class GaussNewton:
    """Minimises a `FaceEnergy` by damped Gauss-Newton steps, eq. (15) to (17).

    A step that raises a picture's energy, or breaks its code, is taken back, and the next one is
    shorter (Levenberg and Marquardt). What a step changes is judged by the vertices that were
    visible before it, so that hiding those that do not fit is no gain.

    Args:
        energy: Of the codes.
        steps: Of the descent.
        damping: Share of the diagonal of J^T J that is added to it.
    """

    def __init__(self, energy: FaceEnergy, steps: int = STEPS, damping: float = DAMPING) -> None:
        self.energy, self.steps, self.damping = energy, steps, damping
        # Of tensors alone: another object would be another graph.
        self.linearize = tf.function(
            lambda code, *seen: energy.linearize(code, Pictures(*seen)), reduce_retracing=True
        )
        # By the given vertices, and by those that are visible now; the rest is computed once.
        self.values = tf.function(
            lambda code, shares, *seen: [
                energy.value(code, Pictures(*seen), counted) for counted in (shares, None)
            ],
            reduce_retracing=True,
        )

    def __call__(self, code: tf.Tensor, pictures: Pictures) -> Fit:
        """Fits codes `[B, D]` to pictures, all at once."""
        seen = pictures.images, pictures.landmarks, pictures.confidence
        model = self.linearize(code, *seen)
        damping = tf.fill(tf.shape(model[0]), tf.cast(self.damping, code.dtype))
        energies, taken = [model[0]], []
        for number in range(self.steps):
            energy, gradient, hessian, shares = model
            step = self.solve(gradient, hessian, damping)
            whole = tf.reduce_all(tf.math.is_finite(step), axis=-1)
            tried = self.energy.move(code, tf.where(whole[:, None], step, 0.0))
            judged, after = self.values(tried, shares, *seen)
            better = whole & (judged < energy)
            code = tf.where(better[:, None], tried, code)
            if number + 1 < self.steps and tf.reduce_any(better):
                model = self.linearize(code, *seen)
            damping *= tf.where(better, tf.cast(_EASE, code.dtype), _STRAIN)
            energies.append(tf.where(better, after, energies[-1]))
            taken.append(better)
        return Fit(code, tf.stack(energies), tf.stack(taken))

    @staticmethod
    def solve(gradient: tf.Tensor, hessian: tf.Tensor, damping: tf.Tensor) -> tf.Tensor:
        """The step of eq. (17), by Cholesky's factors in float64."""
        matrix, right = tf.cast(hessian, tf.float64), -tf.cast(gradient, tf.float64)
        diagonal = tf.linalg.diag_part(matrix)
        added = tf.cast(damping, tf.float64)[:, None] * diagonal + _LEAST
        factor = tf.linalg.cholesky(tf.linalg.set_diag(matrix, diagonal + added))
        step = tf.linalg.cholesky_solve(factor, right[..., None])[..., 0]
        return tf.cast(step, gradient.dtype)
