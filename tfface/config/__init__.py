"""What runs are told: `configs/*.yaml`, checked before anything starts.

`load_config("configs/mofa.yaml", ["training.batch_size=8"])` reads a file, applies overrides in
the dotted form of the command line, and returns the frozen `Config` of the file's system. Every
mistake is a `ConfigError` of one line that names the place, the key, what was expected and what
was found.
"""

from tfface.config.distributions import Coefficients, Constant, Normal, Samples, Scalar, Uniform
from tfface.config.load import load_config
from tfface.config.schema import (
    CONFIGS,
    AugmentationConfig,
    BootstrappingConfig,
    CoarseFineConfig,
    CoarseFineLossesConfig,
    Config,
    DataConfig,
    FaceModelConfig,
    FMLConfig,
    FMLLossesConfig,
    IdentityLossesConfig,
    IdentityRegressionConfig,
    InverseFaceNetConfig,
    InverseFaceNetLossesConfig,
    ModelConfig,
    MoFAConfig,
    MoFALossesConfig,
    NoiseConfig,
    OptimizerConfig,
    RecognitionModelConfig,
    SyntheticConfig,
    TrainingConfig,
    UnsupervisedConfig,
)
from tfface.config.sections import ConfigError, Section

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
]
