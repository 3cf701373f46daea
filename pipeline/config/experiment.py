"""The experiment as one typed, frozen value."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.alignment import AlignSettings
from pipeline.config.base import LONGEST_TEXT, Block, check_names
from pipeline.config.data import DataConfig
from pipeline.config.ensemble import EnsembleConfig
from pipeline.config.experiment_problems import experiment_problems
from pipeline.config.folds import FoldsConfig
from pipeline.config.inference import InferConfig
from pipeline.config.loss_terms import resolved
from pipeline.config.losses import Bce, Ce, Dice, LossTerm
from pipeline.config.model import ModelSpec
from pipeline.config.network_input import InputConfig
from pipeline.config.recipes import RecipeName
from pipeline.config.submission import SubmissionConfig
from pipeline.config.training import TrainConfig
from pipeline.workspace import Workspace

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80)]
"""Without a dot: `--set models.a.train.lr=1` splits at dots, and `index.csv` is a file's name."""
MOST_MODELS = 200
RESERVED = {*Workspace.folders_of_a_run(), "ensemble"}
"""Names that no model may have, since its folder or its row in tables is taken."""


class ModelConfig(ModelSpec):
    """One model: its network, and its own `input`, `train` and `infer` (the global ones,
    overridden)."""

    init: str | None = Field(None, min_length=1, max_length=LONGEST_TEXT)
    """Warm start, instead of `weights`: another model of this experiment, or the folder of one of
    another run (`runs/other/unet`); fold k starts from its fold k. A file: as `weights`. See
    [Training](training.md#warm-start)."""
    seeds: int = Field(1, ge=1, le=20)
    """How many members are trained on each fold, from `train.seed`, `train.seed` + 1, …; the
    model's maps are their mean, see [Training](training.md#several-seeds)."""
    recipe: RecipeName | None = None
    """A recipe of this model's own, in place of the global one; null: the global one."""
    input: InputConfig = InputConfig()
    """Keys of the global `input` block that this model overrides."""
    train: TrainConfig = TrainConfig()
    """Keys of the global `train` block that this model overrides."""
    infer: InferConfig = InferConfig()
    """Keys of the global `infer` block that this model overrides."""

    @field_validator("decoder", "encoder", "network")
    @classmethod
    def _known_name(cls, name: str | None, info: ValidationInfo) -> str | None:
        check_names(str(info.field_name), [] if name is None else [name], info)
        return name

    @model_validator(mode="after")
    def _starts_from_one(self) -> Self:
        if self.init is not None and self.weights not in (None, "pretrained"):
            raise ValueError(f"takes init: {self.init} or weights: {self.weights}, not both")
        return self

    @model_validator(mode="after")
    def _freezes_what_is_trained(self) -> Self:
        if self.weights is not None or self.init is not None:
            return self
        for key, part in self.train.parts():
            if part.freeze:
                raise ValueError(
                    f"{key}.freeze keeps what an encoder has learned before, and weights: null are "
                    "random; leave one of the two out"
                )
        return self

    @property
    def architecture(self) -> ModelSpec:
        """The part that the weights depend on."""
        return ModelSpec.model_validate(self.model_dump(include=set(ModelSpec.model_fields)))


class Experiment(Block):
    """The content of one YAML file."""

    name: Name
    """Names the folders in `runs/` and `submissions/` and the table in `folds/`."""
    demo: str | None = None
    """The built-in competition (`turntable` or `screens`) to draw at `data.root` if it does not
    exist."""
    data: DataConfig
    """Images, masks and their meaning."""
    recipe: RecipeName | None = None
    """Named set of keys for `train` and `infer`, see [Recipes](training.md#recipes): fast, standard
    or strong. Every key that is written here as well is taken from here. null: the defaults."""
    metric: str | dict[str, Any] = "dice"
    """The competition's score, which validation, search and report use: a name, or `{name: fbeta,
    beta: 0.5}`."""
    input: InputConfig = InputConfig()
    """The network input."""
    align: AlignSettings = AlignSettings()
    """Alignment of references with their images."""
    folds: FoldsConfig = FoldsConfig()
    """How training images are split."""
    models: dict[ModelName, ModelConfig] = Field(min_length=1, max_length=MOST_MODELS)
    """The models by name."""
    train: TrainConfig = TrainConfig()
    """How members are trained."""
    infer: InferConfig = InferConfig()
    """How members predict."""
    ensemble: EnsembleConfig = EnsembleConfig()
    """How members are combined to one decision."""
    submission: SubmissionConfig = SubmissionConfig()
    """The format of the submission."""
    track: tuple[str, ...] = Field((), max_length=20)
    """Trackers that show training curves (tensorboard, wandb, mlflow); not part of fingerprints."""

    @field_validator("demo")
    @classmethod
    def _known_demo(cls, demo: str | None, info: ValidationInfo) -> str | None:
        check_names("demo", [demo] if demo is not None else [], info)
        return demo

    @field_validator("track")
    @classmethod
    def _known_trackers(cls, track: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_names("tracker", track, info)
        return tuple(dict.fromkeys(track))

    @field_validator("metric")
    @classmethod
    def _known_metric(
        cls, metric: str | dict[str, Any], info: ValidationInfo
    ) -> str | dict[str, Any]:
        named = {"name": metric} if isinstance(metric, str) else metric
        if not isinstance(named.get("name"), str):
            raise ValueError("a mapping needs the key `name`")
        check_names("metric", [named], info)
        return metric

    @field_validator("models", mode="before")
    @classmethod
    def _no_taken_names(cls, models: Any) -> Any:
        names = (
            [name for name in models if isinstance(name, str)] if isinstance(models, dict) else []
        )
        lower = Counter(name.lower() for name in names)
        if taken := [name for name in names if name.lower() in RESERVED]:
            raise ValueError(
                f"{', '.join(taken)}: reserved name; choose another name for the model"
            )
        if alike := [name for name in names if lower[name.lower()] > 1]:
            raise ValueError(
                f"{', '.join(alike)}: differ only in case, which some disks ignore; rename one"
            )
        return models

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if problems := [*experiment_problems(self)]:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _can_be_built(self, info: ValidationInfo) -> Self:
        check_names("architecture", self.models.items(), info)
        return self

    @property
    def metric_name(self) -> str:
        """The metric's name in the registry."""
        return self.metric if isinstance(self.metric, str) else str(self.metric["name"])

    def losses(self, train: TrainConfig) -> tuple[LossTerm, ...]:
        """The terms of the loss that `train` asks for; `loss: null` is cross-entropy and Dice."""
        if train.loss is not None:
            return resolved(train.loss, self.data.class_names)
        return Ce(name="ce") if self.data.multiclass else Bce(name="bce"), Dice(name="dice")
