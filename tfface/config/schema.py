"""The schema of `configs/*.yaml`: whole runs, one `Config` a system."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from tfface.config.networks import (
    CoarseFineLossesConfig,
    CoarseFineModelConfig,
    FaceModelConfig,
    FMLLossesConfig,
    FMLModelConfig,
    IdentityLossesConfig,
    InverseFaceNetLossesConfig,
    ModelConfig,
    MoFALossesConfig,
    MoFAModelConfig,
    RecognitionModelConfig,
)
from tfface.config.sections import Section
from tfface.config.settings import (
    BootstrappingConfig,
    DataConfig,
    EndToEndConfig,
    JointTrainingConfig,
    OptimizerConfig,
    TrainingConfig,
    UnsupervisedConfig,
)


class Config(Section):
    """A whole training run. `output` is the folder it writes, `seed` fixes every draw."""

    system: str
    output: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    face_model: FaceModelConfig = FaceModelConfig()
    model: ModelConfig | RecognitionModelConfig | CoarseFineModelConfig | FMLModelConfig = (
        ModelConfig()
    )
    losses: Section
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    training: TrainingConfig = TrainingConfig()

    @property
    def record_patterns(self) -> dict[str, list[str]]:
        """key -> files of photos' records that the run reads."""
        return {
            "data.records": self.data.records,
            "data.validation_records": self.data.validation_records,
        }


class MoFAConfig(Config):
    """A run of `tfface.systems.mofa`."""

    system: Literal["mofa"]
    model: MoFAModelConfig = MoFAModelConfig()
    losses: MoFALossesConfig = MoFALossesConfig()


class InverseFaceNetConfig(Config):
    """A run of `tfface.systems.inverse_facenet`."""

    system: Literal["inverse_facenet"]
    losses: InverseFaceNetLossesConfig = InverseFaceNetLossesConfig()
    bootstrapping: BootstrappingConfig = BootstrappingConfig()

    @pydantic.field_validator("data")
    @classmethod
    def _truth_is_known(cls, data: DataConfig) -> DataConfig:
        return _without_photos(data, "bootstrapping.records")

    @property
    def record_patterns(self) -> dict[str, list[str]]:
        rounds = self.bootstrapping
        return {"bootstrapping.records": rounds.records} if rounds.rounds else {}


class IdentityRegressionConfig(Config):
    """A run of `tfface.systems.identity_regression`.

    Of `data.synthetic`, `identity`, `expression`, `albedo` and `corpus` (null = 8192) count: poses,
    lights and backgrounds are those of the paper's renderer (`tfface.systems.face_views`).
    """

    system: Literal["identity_regression"]
    model: RecognitionModelConfig = RecognitionModelConfig()
    losses: IdentityLossesConfig = IdentityLossesConfig()
    unsupervised: UnsupervisedConfig = UnsupervisedConfig()

    @pydantic.field_validator("data")
    @classmethod
    def _faces_are_drawn(cls, data: DataConfig) -> DataConfig:
        if data.synthetic.records:
            raise ValueError("no synthetic.records: faces are drawn as chips here")
        return _without_photos(data, "unsupervised.records")

    @property
    def record_patterns(self) -> dict[str, list[str]]:
        return {"unsupervised.records": self.unsupervised.records}


class CoarseFineConfig(Config):
    """A run of `tfface.systems.coarse_fine`. A face of a batch begins as another of it."""

    system: Literal["coarse_fine"]
    model: CoarseFineModelConfig = CoarseFineModelConfig()
    losses: CoarseFineLossesConfig = CoarseFineLossesConfig()
    end_to_end: EndToEndConfig = EndToEndConfig()

    @property
    def drawn_for_fine_net(self) -> DataConfig:
        """`data`, with what `end_to_end` has of its own."""
        second = self.end_to_end
        own = {"synthetic": second.synthetic, "augmentation": second.augmentation}
        return self.data.model_copy(update={k: v for k, v in own.items() if v is not None})

    @pydantic.field_validator("training")
    @classmethod
    def _faces_have_others(cls, training: TrainingConfig) -> TrainingConfig:
        if training.batch_size < 2:
            raise ValueError("a batch_size of at least 2: a face begins as another of its batch")
        return training

    @pydantic.field_validator("data")
    @classmethod
    def _truth_is_known(cls, data: DataConfig) -> DataConfig:
        return _without_photos(data, "end_to_end.records")

    @property
    def record_patterns(self) -> dict[str, list[str]]:
        second = self.end_to_end
        return {"end_to_end.records": second.records} if second.epochs or second.fine_epochs else {}


class FMLConfig(Config):
    """A run of `tfface.systems.fml`; a batch holds `model.frames` pictures of each person.

    Of the face model only the mean and the expressions are used; its identities and reflectances
    are those of drawn faces.
    """

    system: Literal["fml"]
    face_model: FaceModelConfig = FaceModelConfig(detail="coarse", exported="coarse")
    model: FMLModelConfig = FMLModelConfig()
    losses: FMLLossesConfig = FMLLossesConfig()
    joint: JointTrainingConfig = JointTrainingConfig()

    @pydantic.field_validator("face_model")
    @classmethod
    def _mesh_is_learned(cls, model: FaceModelConfig) -> FaceModelConfig:
        if model.path == "default" and model.detail != model.exported:
            raise ValueError(
                f"exported: {model.detail}, as reflectance is learned for each vertex of the mesh"
            )
        return model

    @pydantic.field_validator("data")
    @classmethod
    def _persons_are_whole(cls, data: DataConfig) -> DataConfig:
        if data.synthetic.records:
            raise ValueError("no synthetic.records, which have one picture of each person")
        if data.augmentation.mirror:
            raise ValueError(
                "augmentation.mirror: 0, which would mirror a person's pictures singly"
            )
        return data


def _without_photos(data: DataConfig, instead: str) -> DataConfig:
    for key in ("records", "validation_records"):
        if getattr(data, key):
            raise ValueError(f"no {key}, whose codes are unknown: see {instead}")
    return data


CONFIGS: dict[str, type[Config]] = {
    "mofa": MoFAConfig,
    "inverse_facenet": InverseFaceNetConfig,
    "identity_regression": IdentityRegressionConfig,
    "coarse_fine": CoarseFineConfig,
    "fml": FMLConfig,
}
