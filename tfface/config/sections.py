"""What all sections of a configuration share."""

from __future__ import annotations

from typing import Annotated

import pydantic
import yaml
from pydantic import Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=1)]


class ConfigError(ValueError):
    """A configuration that cannot be used; the message is one line."""


class Section(pydantic.BaseModel):
    """A part of the configuration: no unknown keys, no silent conversions, no changes."""

    model_config = pydantic.ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False
    )

    def to_yaml(self) -> str:
        """Returns the whole configuration, defaults included, as YAML that loads again."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False)
