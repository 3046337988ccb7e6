"""The sections that say how it is trained: data, optimiser and stages."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from tfface.config.distributions import (
    Angle,
    Coefficients,
    Constant,
    Fractional,
    Normal,
    NotNegativeScalar,
    Samples,
    Scalar,
    Uniform,
)
from tfface.config.sections import Count, Fraction, NotNegative, Positive, Section


class SyntheticConfig(Section):
    """How the faces that are drawn from the face model vary: a distribution for each part.

    - The code: `identity`, `expression`, `albedo` (coefficients in sigmas), `yaw`, `pitch`, `roll`
      (degrees).
    - The camera: the crop's distance from the rule's, `crop_scale` (its logarithm) and `crop_shift`
      (to the right and up, in sides of the crop).
    - The light: strengths `ambient` and `directional` (of two lights, from `light_azimuth`, 0 =
      the camera's, and `light_elevation`, degrees), and `light_tint`, relative, of each channel.
    - What hides the face, probabilities: `hair` is a mop of it on the scalp, `fringe` lets it fall
      over the forehead down to `hair_line` (0 = brows, 1 = where hair begins), `collar` draws
      clothes before the neck and perhaps the chin instead of behind, `glasses` puts some on (not
      on faces that are turned far away).
    - What no code says: `gloss`, the strength of a highlight on skin and hair.
    - What is behind: procedural textures, or, `background_share` of the time, cut-outs of the
      pictures in the folder `backgrounds` of yours.

    Pictures are drawn `supersampling` times larger than needed and averaged. With a `corpus` size,
    so many faces are drawn once and repeated; null draws new ones for ever. `records`, folders
    that `python -m tfface.data.synthesize` wrote, are read instead of drawing anything; their
    pictures were augmented when they were drawn.
    """

    identity: Coefficients = Normal(deviation=1.0)
    expression: Coefficients = Samples(scale=Uniform(low=0.2, high=1.1))
    albedo: Coefficients = Samples(noise=0.25)
    yaw: Angle = Normal(deviation=28.0, low=-61.6, high=61.6)
    pitch: Angle = Normal(deviation=10.0, low=-22.0, high=22.0)
    roll: Angle = Normal(deviation=8.0, low=-17.6, high=17.6)
    crop_scale: Fractional = Normal(deviation=0.06)
    crop_shift: Fractional = Normal(deviation=0.03)
    ambient: NotNegativeScalar = Uniform(low=0.4, high=0.85)
    directional: NotNegativeScalar = Uniform(low=0.0, high=0.5)
    light_azimuth: Angle = Normal(deviation=55.0, low=-150.0, high=150.0)
    light_elevation: Angle = Normal(mean=15.0, deviation=30.0, low=-60.0, high=85.0)
    light_tint: Fractional = Normal(deviation=0.06)
    hair: Fraction = 0.8
    fringe: Fraction = 0.0
    hair_line: Scalar = Uniform(low=0.2, high=1.0)
    collar: Fraction = 0.0
    glasses: Fraction = 0.0
    gloss: NotNegativeScalar = Constant(value=0.0)
    backgrounds: str | None = None
    background_share: Fraction = 0.5
    supersampling: Annotated[int, Field(ge=1, le=8)] = 2
    corpus: Count | None = None
    records: list[str] = Field(default_factory=list)


class AugmentationConfig(Section):
    """Largest changes to a training crop; all 0 leaves it as it is.

    `shift` and `scale` are fractions of the crop's side, `rotation` is in degrees, `colour`,
    `noise` in [0, 1] of the colour range, `blur` a sigma in pixels, `jpeg`, `occlusion` and
    `mirror` are probabilities. Drawn faces, whose geometry is their truth, are not shifted, scaled,
    turned or mirrored.
    """

    shift: Fraction = 0.0
    scale: Fraction = 0.0
    rotation: NotNegative = 0.0
    colour: Fraction = 0.0
    noise: Fraction = 0.0
    blur: NotNegative = 0.0
    jpeg: Fraction = 0.0
    occlusion: Fraction = 0.0
    mirror: Fraction = 0.0


class DataConfig(Section):
    """Where training faces come from: TFRecord globs, drawn faces, or a mixture.

    `records_fraction` is the part of a batch that comes from `records`; without records all faces
    are drawn from the face model. `validation_records` are faces to watch, not to train on (empty =
    other drawn faces).
    """

    records: list[str] = Field(default_factory=list)
    records_fraction: Fraction = 0.5
    validation_records: list[str] = Field(default_factory=list)
    synthetic: SyntheticConfig = SyntheticConfig()
    augmentation: AugmentationConfig = AugmentationConfig()


class OptimizerConfig(Section):
    """The optimiser.

    `learning_rate` is reached after `warmup_steps` and then stays, or falls to zero as a cosine at
    the end of the last epoch of the run's first stage (`schedule`). `clip_norm` bounds the norm of
    all gradients together. `multipliers` multiply the learning rate of single code parts.
    """

    name: Literal["adam", "adamw", "adadelta", "sgd"] = "adam"
    learning_rate: Positive = 3e-4
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    multipliers: dict[str, NotNegative] = Field(default_factory=dict)
    clip_norm: Positive | None = None


class TrainingConfig(Section):
    """Length, batches and devices of a run.

    An epoch is `steps_per_epoch` batches, then `validation_steps` batches to watch. Checkpoints are
    written every `checkpoint_every_epochs`, pictures every `image_every_epochs`. `mixed_precision`
    computes the encoder in float16. `batch_size` is global: devices share it. `devices` names those
    of `mirrored` (`CPU:1` makes logical CPUs; null = every GPU) or the one of `one_device`;
    `multi_worker` reads TF_CONFIG.
    """

    batch_size: Count = 16
    epochs: Count = 10
    steps_per_epoch: Count = 100
    validation_steps: Count = 4
    strategy: Literal["one_device", "mirrored", "multi_worker"] = "one_device"
    devices: list[Annotated[str, Field(pattern=r"^(CPU|GPU):\d+$")]] | None = None
    mixed_precision: bool = False
    checkpoint_every_epochs: Count = 1
    image_every_epochs: Count = 1


class NoiseConfig(Section):
    """Standard deviations of what is added to predicted codes before they are drawn again.

    `identity`, `expression` and `albedo` in sigmas, `rotation` in degrees, `crop_scale` and
    `crop_shift` as in the synthetic section, `illumination` relative to the light's strength.
    """

    identity: NotNegative = 0.2
    expression: NotNegative = 0.4
    albedo: NotNegative = 0.2
    rotation: NotNegative = 5.0
    crop_scale: NotNegative = 0.04
    crop_shift: NotNegative = 0.02
    illumination: NotNegative = 0.1


class BootstrappingConfig(Section):
    """Self-supervised bootstrapping, after the `training.epochs` on the corpus of `data`.

    Each of the `rounds` predicts the codes of the faces in `records` (their labels are not used),
    draws `faces` codes around them with `noise`, renders these, and trains `epochs` on them, from
    `learning_rate` on, by the schedule of the optimizer. `kept` is the part of the new corpus that
    is still drawn as `data.synthetic` says.
    """

    records: list[str] = Field(default_factory=list)
    rounds: Annotated[int, Field(ge=0)] = 0
    faces: Count = 4096
    epochs: Count = 1
    learning_rate: Positive = 3e-4
    kept: Fraction = 0.0
    noise: NoiseConfig = NoiseConfig()

    @pydantic.field_validator("rounds")
    @classmethod
    def _have_records(cls, rounds: int, info: pydantic.ValidationInfo) -> int:
        if rounds and not info.data.get("records"):
            raise ValueError("0 without bootstrapping.records of unlabelled faces")
        return rounds


class UnsupervisedConfig(Section):
    """The second stage, after the `training.epochs` on drawn faces alone.

    `epochs` of batches of `training.batch_size` drawn faces and as many photos of `records`, whose
    labels are not used but for the alignment, from `learning_rate` on. Without records other drawn
    faces stand for photos.
    """

    records: list[str] = Field(default_factory=list)
    epochs: Annotated[int, Field(ge=0)] = 0
    learning_rate: Positive = 1e-4


class EndToEndConfig(Section):
    """FineNet, after the `training.epochs` of CoarseNet on drawn faces.

    `fine_epochs` of FineNet alone, on what CoarseNet found, then `epochs` of both together: on the
    photos of `records`, whose labels are not used, and, half of each batch, on drawn faces. FineNet
    learns from `learning_rate` on, CoarseNet, which knows its task, at `coarse_rate` of that.
    Without records drawn faces stand for photos. Drawn faces are of `synthetic` and `augmentation`:
    whole sections, which changes of `data` do not reach; without them of those of `data`. They get
    their relief after augmentation, hair and collars that hide skin as well.
    """

    records: list[str] = Field(default_factory=list)
    synthetic: SyntheticConfig | None = None
    augmentation: AugmentationConfig | None = None
    fine_epochs: Annotated[int, Field(ge=0)] = 0
    epochs: Annotated[int, Field(ge=0)] = 0
    learning_rate: Positive = 1e-3
    coarse_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 0.01


class JointTrainingConfig(Section):
    """All of FML together, after the `training.epochs` of pose, light, expression and mean colours.

    `epochs` from `learning_rate` on; without any, identity is not learned. Then
    `reflectance_epochs` in which reflectance learns `reflectance_rate` times as fast.
    """

    epochs: Annotated[int, Field(ge=0)] = 10
    learning_rate: Positive = 1e-3
    reflectance_epochs: Annotated[int, Field(ge=0)] = 0
    reflectance_rate: Positive = 10.0
