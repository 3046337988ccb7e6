"""Distributions as data: `{distribution: normal, deviation: 28.0, low: -60.0, high: 60.0}`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from tfface.config.sections import NotNegative, Section


class _Bounded(Section):
    """Checks that `low`, declared before `high`, does not exceed it."""

    @pydantic.field_validator("high", check_fields=False)
    @classmethod
    def _ordered(cls, high: float | None, info: pydantic.ValidationInfo) -> float | None:
        low = info.data.get("low")
        if high is not None and low is not None and high < low:
            raise ValueError(f"a number of at least low, {low}")
        return high


class Constant(Section):
    """Always `value`."""

    distribution: Literal["constant"] = "constant"
    value: float

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value


class Uniform(_Bounded):
    """Anything from `low` to `high`."""

    distribution: Literal["uniform"] = "uniform"
    low: float
    high: float

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high


class Normal(_Bounded):
    """Normal numbers; those beyond `low` or `high` (null = no bound) are moved there."""

    distribution: Literal["normal"] = "normal"
    mean: float = 0.0
    deviation: NotNegative
    low: float | None = None
    high: float | None = Field(default=None, validate_default=True)  # with low and mean

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.low, self.high
        return -math.inf if low is None else low, math.inf if high is None else high

    @pydantic.field_validator("high")
    @classmethod
    def _mean_is_between(cls, high: float | None, info: pydantic.ValidationInfo) -> float | None:
        mean, low = info.data.get("mean", 0.0), info.data.get("low")
        if (low is not None and mean < low) or (high is not None and mean > high):
            raise ValueError(f"bounds on both sides of the mean, {mean}")
        return high


Scalar = Annotated[Constant | Uniform | Normal, Field(discriminator="distribution")]


class Samples(Section):
    """The face model's own natural samples (normal numbers where it has none).

    A sample is `bias` + a draw of `scale` times it + normal numbers of deviation `noise`, in
    sigmas. A `bias` of fewer numbers than the part has moves the first modes.
    """

    distribution: Literal["samples"] = "samples"
    scale: Scalar = Constant(value=1.0)
    noise: NotNegative = 0.0
    bias: list[float] = Field(default_factory=list)


# Of all coefficients of a part alike, independently, in sigmas; or whole natural samples.
Coefficients = Annotated[Constant | Uniform | Normal | Samples, Field(discriminator="distribution")]


AnyScalar = Constant | Uniform | Normal


def not_negative(distribution: AnyScalar) -> AnyScalar:
    """Validator of what cannot be negative."""
    if distribution.support[0] < 0:
        raise ValueError("a distribution that gives no negative number")
    return distribution


def _within(limit: float) -> Callable[[AnyScalar], AnyScalar]:
    """Validator of numbers that make no sense beyond -limit and limit."""

    def check(distribution: AnyScalar) -> AnyScalar:
        numbers = distribution.model_dump(exclude={"distribution"}).values()
        if any(number is not None and abs(number) > limit for number in numbers):
            raise ValueError(f"numbers from {-limit:g} to {limit:g}")
        return distribution

    return check


NotNegativeScalar = Annotated[Scalar, pydantic.AfterValidator(not_negative)]
Angle = Annotated[Scalar, pydantic.AfterValidator(_within(180.0))]  # degrees
Fractional = Annotated[Scalar, pydantic.AfterValidator(_within(1.0))]
