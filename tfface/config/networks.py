"""The sections that say what is trained: face model, networks, losses."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field

from tfface.config.sections import Count, NotNegative, Positive, Section


class FaceModelConfig(Section):
    """Which face: `path` is `default` or a file; modes null = all that the model has.

    The default model has two meshes for the same codes: `detail` is trained on, `exported` is
    what `decode` of the exported model draws.
    """

    path: str = "default"
    detail: Literal["coarse", "fine"] = "coarse"
    exported: Literal["coarse", "fine"] = "fine"
    identity: Count | None = 80
    expression: Count | None = 64
    albedo: Count | None = 80


class ModelConfig(Section):
    """The network, its input, and the camera of a crop.

    `encoder` is the paper's AlexNet or VGG-Face, or a small one for CPUs; `image_size` the side of
    its input in pixels; `weights` is the user's file of published encoder weights, `focal_length`
    counts sides of the crop.
    """

    encoder: Literal["compact", "alexnet", "vgg_face"] = "compact"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 96
    weights: str | None = None
    focal_length: Positive = 4.5


class MoFAModelConfig(ModelConfig):
    """`sampled_vertices` is the stochastic sample of the photometric loss (null = all)."""

    sampled_vertices: Count | None = None


class MoFALossesConfig(Section):
    """Weights of the terms, equations (7) to (10) of the MoFA paper; 0 switches a term off.

    `landmark` is the optional surrogate, `regularizer`, `albedo` and `expression` are w_reg,
    w_beta and w_delta, and `supervision` compares with the truth of synthetic faces (not in the
    paper).
    """

    photometric: NotNegative = 1.92
    landmark: NotNegative = 0.0
    regularizer: NotNegative = 2.9e-5
    albedo: NotNegative = 1.7e-3
    expression: NotNegative = 0.8
    supervision: NotNegative = 0.0


class InverseFaceNetLossesConfig(Section):
    """Weights of the parts of the code in the parameter loss; 0 switches a part off.

    In `space: model` a part's error is measured on what it changes: `identity`, `expression`,
    `rotation` and `translation` in squared mm on the mesh, `albedo` and `illumination` in squared
    colour of reflectance and shading. `space: parameters` compares coefficient by coefficient; the
    weights then want other values.
    """

    space: Literal["model", "parameters"] = "model"
    identity: NotNegative = 3.0
    expression: NotNegative = 5.0
    albedo: NotNegative = 500.0
    rotation: NotNegative = 0.2
    translation: NotNegative = 0.2
    illumination: NotNegative = 200.0


class RecognitionModelConfig(Section):
    """The frozen recognition network, the side of its chips, and the camera that draws them.

    `recognition_resnet` ships with its weights; `facenet` and `vgg_face` want a file of `weights`.
    """

    encoder: Literal["recognition_resnet", "facenet", "vgg_face"] = "recognition_resnet"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 150
    weights: Annotated[str | None, Field(validate_default=True)] = None
    focal_length: Positive = 4.5

    @pydantic.field_validator("weights")
    @classmethod
    def _has_learned(cls, weights: str | None, info: pydantic.ValidationInfo) -> str | None:
        if weights is None and info.data.get("encoder") != "recognition_resnet":
            raise ValueError("a file, for only recognition_resnet ships with its weights")
        return weights


class IdentityLossesConfig(Section):
    """Weights of the terms, equations (2) to (6) of Genova et al.; 0 switches a term off.

    `shape` and `texture` are w_s and w_t of the parameter loss. `views` pictures are drawn of each
    of the first `faces` photos of a batch; the moments of the batch are those of all of its photos
    (on several devices, both are those of a device's share). Terms of single faces and views are
    means here, where the paper sums.
    """

    shape: NotNegative = 0.4
    texture: NotNegative = 0.002
    identity: NotNegative = 1.0
    batch_distribution: NotNegative = 10.0
    loopback: NotNegative = 1e-4
    views: Count = 3
    faces: Count = 4


class CoarseFineModelConfig(Section):
    """CoarseNet and FineNet.

    `encoder` is CoarseNet's, which makes at most `passes`; `detail` are FineNet's stages, and
    `weights` the user's file of VGG-Face's for them. The camera is distant (weak perspective):
    `focal_length` counts sides of the crop.
    """

    encoder: Literal["compact", "resnet50"] = "compact"
    image_size: Annotated[int, Field(ge=32, le=1024)] = 200
    passes: Count = 4
    detail: Literal["compact", "vgg_face"] = "compact"
    weights: str | None = None
    focal_length: Annotated[float, Field(ge=100.0)] = 450.0

    @pydantic.field_validator("weights")
    @classmethod
    def _fit_the_stages(cls, weights: str | None, info: pydantic.ValidationInfo) -> str | None:
        if weights is not None and info.data.get("detail") != "vgg_face":
            raise ValueError("nothing unless model.detail is vgg_face")
        return weights


class CoarseFineLossesConfig(Section):
    """Weights of the terms of Richardson et al.; 0 switches a term off.

    CoarseNet: `geometry` (eq. (4), mean squared mm) and `pose` (of the six pose numbers), by
    default balanced so that both begin alike. FineNet, eq. (14): `shading`, `fidelity` and
    `smoothness`, of intensities in [0, 1] and heights in pixels. Of end-to-end training, where
    drawn faces and photos each are half of a batch's mean: `slopes`, the mean squared error of the
    slopes of drawn faces' skin (which reaches CoarseNet too), and `coarse`, which times the error
    of `geometry` and `pose` holds CoarseNet's solution of photos where it was before. Neither is
    the paper's: 0 leaves FineNet to eq. (14) alone.
    """

    geometry: NotNegative = 0.02
    pose: NotNegative = 5.0
    shading: NotNegative = 1.0
    fidelity: NotNegative = 5e-3
    smoothness: NotNegative = 1e-3
    slopes: NotNegative = 1.0
    coarse: NotNegative = 2.0


class FMLModelConfig(Section):
    """The multi-frame network, and the face model that it learns.

    `encoder` is the paper's network or a small one; training shows it `frames` pictures of a
    person at a time. A drawn person has `drawn_frames` of them, at least so many; null draws no
    more than are shown at a time. The model has about `nodes` nodes in its deformation graph, and
    learns `identity` and `albedo` vectors.
    """

    encoder: Literal["compact", "fml"] = "compact"
    image_size: Annotated[int, Field(ge=64, le=1024)] = 112
    frames: Literal[1, 2, 4, 8, 16] = 4
    drawn_frames: Literal[1, 2, 4, 8, 16] | None = None
    nodes: Annotated[int, Field(ge=16)] = 521
    identity: Count = 80
    albedo: Count = 80
    focal_length: Positive = 4.5

    @pydantic.model_validator(mode="after")
    def _drawn_persons_suffice(self) -> Self:
        if self.drawn_frames is not None and self.drawn_frames < self.frames:
            raise ValueError(
                f"drawn_frames: at least the {self.frames} of frames, got {self.drawn_frames}"
            )
        return self


class FMLLossesConfig(Section):
    """Weights of the terms of Tewari et al. 2019, equations (8) to (12); 0 switches a term off.

    `photometric` and `landmark` are means over visible vertices and sums over landmarks, in colours
    of [0, 1] and sides of the picture, and with `expression`, of sigmas, means over pictures;
    `smoothness` is of mm, `sparsity` of colours, both sums. The first two are the paper's for these
    units (there colours go to 255 and pixels to 240, it seems); its regularisers would be 3.8e-9,
    5e-11 (a quarter: it sums the other terms over four pictures) and 1.5e-13. With so little
    smoothness the mean face's vertices drift along its surface; 1e-6 keeps people's shapes from
    being learned.
    """

    photometric: NotNegative = 1.6
    landmark: NotNegative = 4.2
    smoothness: NotNegative = 1e-7
    sparsity: NotNegative = 1e-6
    expression: NotNegative = 1e-4
