"""The typed experiment: the only place that reads YAML."""

from pipeline.config.alignment import AlignSettings
from pipeline.config.data import (
    DataConfig,
    FoldsConfig,
    FrameConfig,
    GroupTable,
    MaskTable,
    RowKeys,
    SubmissionConfig,
)
from pipeline.config.experiment import Experiment, ModelConfig, slug
from pipeline.config.loading import build_experiment, load_experiment
from pipeline.config.model import ModelSpec, ReferenceUse
from pipeline.config.training import (
    AugmentConfig,
    EnsembleConfig,
    InferConfig,
    InputConfig,
    JitterConfig,
    TileConfig,
    TrainConfig,
)

__all__ = [
    "AlignSettings",
    "AugmentConfig",
    "DataConfig",
    "EnsembleConfig",
    "Experiment",
    "FoldsConfig",
    "FrameConfig",
    "GroupTable",
    "InferConfig",
    "InputConfig",
    "JitterConfig",
    "MaskTable",
    "ModelConfig",
    "ModelSpec",
    "ReferenceUse",
    "RleOrder",
    "RowKeys",
    "SubmissionConfig",
    "TileConfig",
    "TrainConfig",
    "build_experiment",
    "load_experiment",
    "slug",
]
