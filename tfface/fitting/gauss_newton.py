"""Analysis by synthesis: codes that explain pictures best (high-fidelity MoFA, section 9.1)."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tfface.fitting.face_energy import FaceEnergy, Pictures

STEPS = 5
DAMPING = 1e-3  # of the diagonal of J^T J, at first
_EASE, _STRAIN = 0.2, 10.0  # factors of the damping after a step that helped, or did not


@dataclass(frozen=True, eq=False)
class Fit:
    """Codes that were fitted.

    Attributes:
        code: `[B, N]`.
        energies: `[1 + steps, B]`, the least that was reached before, and after each step.
    """

    code: tf.Tensor
    energies: tf.Tensor


class GaussNewton:
    """Minimises a `FaceEnergy` by damped Gauss-Newton steps, eq. (15) to (17).

    A step that raises a picture's energy is taken back, and the next one is shorter (Levenberg and
    Marquardt): the energy never ends above where it began.

    Args:
        energy: Of the codes.
        steps: Of the descent.
        damping: Share of the diagonal of J^T J that is added to it.
    """

    def __init__(self, energy: FaceEnergy, steps: int = STEPS, damping: float = DAMPING) -> None:
        self.energy, self.steps, self.damping = energy, steps, damping
        self._linearize = tf.function(energy.linearize, reduce_retracing=True)
        self._value = tf.function(energy.value, reduce_retracing=True)

    def __call__(self, code: tf.Tensor, pictures: Pictures) -> Fit:
        """Fits codes `[B, N]` to pictures, all at once."""
        best, gradient, hessian = self._linearize(code, pictures)
        damping = tf.fill(tf.shape(best), tf.cast(self.damping, best.dtype))
        energies = [best]
        for number in range(self.steps):
            tried = self.energy.move(code, self._solve(gradient, hessian, damping))
            if number + 1 < self.steps:
                value, *model = self._linearize(tried, pictures)
            else:  # the last one needs no further model
                value, model = self._value(tried, pictures), [gradient, hessian]
            better = value < best
            code = tf.where(better[:, None], tried, code)
            gradient = tf.where(better[:, None], model[0], gradient)
            hessian = tf.where(better[:, None, None], model[1], hessian)
            damping *= tf.where(better, tf.cast(_EASE, best.dtype), _STRAIN)
            best = tf.where(better, value, best)
            energies.append(best)
        return Fit(code, tf.stack(energies))

    @staticmethod
    def _solve(gradient: tf.Tensor, hessian: tf.Tensor, damping: tf.Tensor) -> tf.Tensor:
        """The step of eq. (17), by Cholesky's factors in float64."""
        matrix, right = tf.cast(hessian, tf.float64), -tf.cast(gradient, tf.float64)
        diagonal = tf.linalg.diag_part(matrix)
        least = 1e-9 * tf.reduce_max(diagonal, axis=-1, keepdims=True)  # of what no residual sees
        added = tf.cast(damping, tf.float64)[:, None] * diagonal + least
        factor = tf.linalg.cholesky(tf.linalg.set_diag(matrix, diagonal + added))
        step = tf.linalg.cholesky_solve(factor, right[..., None])[..., 0]
        return tf.cast(step, gradient.dtype)
