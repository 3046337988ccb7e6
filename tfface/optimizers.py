"""Keras optimisers with a learning rate for every part of the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


class PartRates:
    """Mixin: multiplies the learning rate of the variables of some layers.

    MoFA's published schedule has a rate of 0.1, but 0.0005 for the depth (high-fidelity MoFA,
    section 8): `multipliers={"translation_z": 0.005}`. The factor is applied to the rate, after
    clipping and after whatever moments the optimiser keeps; 0 freezes a part. Weight decay skips
    the parts that have a factor, which it would otherwise pull to zero at the full rate.

    Args:
        multipliers: Name of a layer or variable (a component of a variable's path) -> factor, or
            schedule of it; other variables have 1, those of several names the product.

    Raises:
        ValueError: by `build`, if a name belongs to no variable.
    """

    def __init__(self, *args: Any, multipliers: Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        restored = keras.saving.deserialize_keras_object
        self.multipliers = {
            name: restored(value) if isinstance(value, dict) else value
            for name, value in (multipliers or {}).items()
        }
        self._factors: list[list[Any]] = []  # of each variable

    def build(self, variables: Sequence[keras.Variable]) -> None:
        paths = [variable.path.split("/") for variable in variables]
        known = {name for path in paths for name in path}
        for name in self.multipliers:
            if name not in known:
                raise ValueError(
                    f"multipliers: expected names out of {', '.join(sorted(known))}, got {name!r}"
                )
        self._factors = [
            [value for name, value in self.multipliers.items() if name in path and value != 1.0]
            for path in paths
        ]
        scaled = [v for v, f in zip(variables, self._factors, strict=True) if f]
        if scaled and not self.built:  # type: ignore[attr-defined]
            self.exclude_from_weight_decay(var_list=scaled)  # type: ignore[attr-defined]
        super().build(variables)  # type: ignore[misc]

    def _clip_gradients(self, gradients: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
        # Keras clips each replica's share and then sums them; what is clipped here is the sum, as
        # on one device, divided because it will be summed again.
        clip = super()._clip_gradients  # type: ignore[misc]
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1 or not self.global_clipnorm:  # type: ignore[attr-defined]
            return clip(gradients)
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
        return [gradient / context.num_replicas_in_sync for gradient in clip(total)]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        # By index: under a strategy `variable` is one replica's copy, which has no path.
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        for factor in self._factors[index]:
            if callable(factor):
                factor = factor(self.iterations)  # type: ignore[attr-defined]
            learning_rate = keras.ops.multiply(learning_rate, factor)
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        multipliers = {
            name: keras.saving.serialize_keras_object(value) if callable(value) else value
            for name, value in self.multipliers.items()
        }
        return {**super().get_config(), "multipliers": multipliers}  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="tfface")
class PartAdam(PartRates, keras.optimizers.Adam):
    """Adam (Kingma and Ba 2015) with `multipliers`."""


@keras.saving.register_keras_serializable(package="tfface")
class PartAdamW(PartRates, keras.optimizers.AdamW):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019) and `multipliers`."""


@keras.saving.register_keras_serializable(package="tfface")
class PartAdadelta(PartRates, keras.optimizers.Adadelta):
    """AdaDelta (Zeiler 2012) with `multipliers`."""


@keras.saving.register_keras_serializable(package="tfface")
class PartSGD(PartRates, keras.optimizers.SGD):
    """Gradient descent with `multipliers`."""


@keras.saving.register_keras_serializable(package="tfface")
class Consecutive(keras.optimizers.schedules.LearningRateSchedule):
    """Schedules one after the other, each counting its own steps.

    Args:
        schedules: Numbers or schedules of Keras.
        lengths: Steps of all but the last, which stays.
    """

    def __init__(self, schedules: Sequence[Any], lengths: Sequence[int]) -> None:
        self.schedules, self.lengths = list(schedules), [int(length) for length in lengths]

    def __call__(self, step: Any) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rates, past, stage = [], 0, tf.zeros([], tf.int32)
        for schedule, length in zip(self.schedules, [*self.lengths, 0], strict=True):
            own = tf.maximum(step - past, 0.0)
            rates.append(tf.cast(schedule(own) if callable(schedule) else schedule, tf.float32))
            past += length
            if len(rates) < len(self.schedules):
                stage += tf.cast(step >= past, tf.int32)
        return tf.gather(tf.stack(rates), stage)

    def get_config(self) -> dict[str, Any]:
        schedules = [keras.saving.serialize_keras_object(schedule) for schedule in self.schedules]
        return {"schedules": schedules, "lengths": self.lengths}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Consecutive:
        schedules = map(keras.saving.deserialize_keras_object, config["schedules"])
        return cls(list(schedules), config["lengths"])


OPTIMIZERS = {"adam": PartAdam, "adamw": PartAdamW, "adadelta": PartAdadelta, "sgd": PartSGD}
FINAL_RATES = {"constant": 1.0, "cosine": 0.0}  # in units of the highest rate


def make_optimizer(
    name: str,
    learning_rate: float,
    total_steps: int,
    schedule: str = "constant",
    warmup_steps: int = 0,
    multipliers: Mapping[str, Any] | None = None,
    clip_norm: float | None = None,
    later: Sequence[tuple[int, float]] | None = None,
    later_warmup_steps: int = 0,
) -> keras.Optimizer:
    """Builds an optimiser.

    Args:
        name: One of `OPTIMIZERS`.
        learning_rate: The highest rate.
        total_steps: Length of the run, or of its first stage, for `cosine`.
        schedule: `constant`, or `cosine`: down to zero at the end.
        warmup_steps: Steps of linear increase from zero at the start.
        multipliers: As in `PartRates`.
        clip_norm: Largest global norm of a gradient; None does not clip.
        later: Steps and highest rate of each stage that follows; the schedule starts again with
            each. A run that may get such stages gives an empty list, as the optimiser's variables
            are others without.
        later_warmup_steps: As `warmup_steps`, of each of these.

    Raises:
        ValueError: if the name or the schedule is unknown.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"name: expected one of {', '.join(OPTIMIZERS)}, got {name!r}")
    if schedule not in FINAL_RATES:
        raise ValueError(f"schedule: expected one of {', '.join(FINAL_RATES)}, got {schedule!r}")
    rate = _schedule(learning_rate, total_steps, schedule, warmup_steps)
    if later is not None:
        schedules = [
            rate,
            *(_schedule(other, steps, schedule, later_warmup_steps) for steps, other in later),
        ]
        rate = Consecutive(schedules, [total_steps, *(steps for steps, _ in later)][: len(later)])
    return OPTIMIZERS[name](rate, multipliers=multipliers, global_clipnorm=clip_norm)


def _schedule(rate: float, steps: int, schedule: str, warmup_steps: int = 0) -> Any:
    """A number, or a schedule of Keras."""
    if schedule == "constant" and not warmup_steps:
        return rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else rate,
        decay_steps=max(1, steps - warmup_steps),
        alpha=FINAL_RATES[schedule],
        warmup_target=rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
