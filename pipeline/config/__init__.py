"""The typed experiment: the only place that reads YAML."""

from pipeline.config.alignment import AlignSettings
from pipeline.config.annotations import AnnotationFiles
from pipeline.config.augmentation import AugmentConfig, JitterConfig
from pipeline.config.data import DataConfig
from pipeline.config.ensemble import EnsembleConfig
from pipeline.config.experiment import Experiment, ModelConfig
from pipeline.config.folds import FoldsConfig
from pipeline.config.frame import FrameConfig
from pipeline.config.inference import InferConfig, TileConfig
from pipeline.config.label_maps import LabelMapFiles
from pipeline.config.loading import build_experiment, load_experiment
from pipeline.config.mask_source import MaskSource
from pipeline.config.model import ModelSpec, ReferenceUse
from pipeline.config.network_input import InputConfig
from pipeline.config.submission import SubmissionConfig
from pipeline.config.tables import CopiedTable, GroupTable, MaskTable, RowKeys
from pipeline.config.training import TrainConfig

__all__ = [
    "AlignSettings",
    "AnnotationFiles",
    "AugmentConfig",
    "CopiedTable",
    "DataConfig",
    "EnsembleConfig",
    "Experiment",
    "FoldsConfig",
    "FrameConfig",
    "GroupTable",
    "InferConfig",
    "InputConfig",
    "JitterConfig",
    "LabelMapFiles",
    "MaskSource",
    "MaskTable",
    "ModelConfig",
    "ModelSpec",
    "ReferenceUse",
    "RowKeys",
    "SubmissionConfig",
    "TileConfig",
    "TrainConfig",
    "build_experiment",
    "load_experiment",
]
