"""What runs are told: `configs/*.yaml`, checked before anything starts.

`load_config("configs/mofa.yaml", ["training.batch_size=8"])` reads a file, applies overrides in
the dotted form of the command line, and returns the frozen `Config` of the file's system. Every
mistake is a `ConfigError` of one line that names the place, the key, what was expected and what
was found.
"""

from tfface.config.distributions import Coefficients, Constant, Normal, Samples, Scalar, Uniform
from tfface.config.evaluation import EvaluatedSystem, EvaluationConfig, EvaluationSet
from tfface.config.load import load_config, load_evaluation_config
from tfface.config.networks import (
    CoarseFineLossesConfig,
    FaceModelConfig,
    FMLLossesConfig,
    IdentityLossesConfig,
    InverseFaceNetLossesConfig,
    ModelConfig,
    MoFALossesConfig,
    RecognitionModelConfig,
)
from tfface.config.schema import (
    CONFIGS,
    CoarseFineConfig,
    Config,
    FMLConfig,
    IdentityRegressionConfig,
    InverseFaceNetConfig,
    MoFAConfig,
)
from tfface.config.sections import ConfigError, Section
from tfface.config.settings import (
    AugmentationConfig,
    BootstrappingConfig,
    DataConfig,
    NoiseConfig,
    OptimizerConfig,
    SyntheticConfig,
    TrainingConfig,
    UnsupervisedConfig,
)

__all__ = [
    "CONFIGS",
    "AugmentationConfig",
    "BootstrappingConfig",
    "CoarseFineConfig",
    "CoarseFineLossesConfig",
    "Coefficients",
    "Config",
    "ConfigError",
    "Constant",
    "DataConfig",
    "EvaluatedSystem",
    "EvaluationConfig",
    "EvaluationSet",
    "FMLConfig",
    "FMLLossesConfig",
    "FaceModelConfig",
    "IdentityLossesConfig",
    "IdentityRegressionConfig",
    "InverseFaceNetConfig",
    "InverseFaceNetLossesConfig",
    "MoFAConfig",
    "MoFALossesConfig",
    "ModelConfig",
    "NoiseConfig",
    "Normal",
    "OptimizerConfig",
    "RecognitionModelConfig",
    "Samples",
    "Scalar",
    "Section",
    "SyntheticConfig",
    "TrainingConfig",
    "Uniform",
    "UnsupervisedConfig",
    "load_config",
    "load_evaluation_config",
]
