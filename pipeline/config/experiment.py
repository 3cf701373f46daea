"""The experiment as one typed, frozen value."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.alignment import AlignSettings
from pipeline.config.bands import own_name
from pipeline.config.base import Block, check_names
from pipeline.config.data import DataConfig
from pipeline.config.ensemble import EnsembleConfig
from pipeline.config.folds import FoldsConfig
from pipeline.config.loss_terms import misfits, resolved
from pipeline.config.losses import Bce, Ce, Dice, LossTerm
from pipeline.config.model import ModelSpec
from pipeline.config.recipes import RecipeName
from pipeline.config.submission import SubmissionConfig
from pipeline.config.training import InferConfig, InputConfig, TrainConfig
from pipeline.suggestions import did_you_mean
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

    recipe: RecipeName | None = None
    """A recipe of this model's own, in place of the global one; null: the global one."""
    input: InputConfig = InputConfig()
    """Keys of the global `input` block that this model overrides."""
    train: TrainConfig = TrainConfig()
    """Keys of the global `train` block that this model overrides."""
    infer: InferConfig = InferConfig()
    """Keys of the global `infer` block that this model overrides."""

    @field_validator("decoder", "encoder")
    @classmethod
    def _known_name(cls, name: str, info: ValidationInfo) -> str:
        check_names(str(info.field_name), [name], info)
        return name

    @model_validator(mode="after")
    def _freezes_what_is_trained(self) -> Self:
        if self.train.freeze and self.weights is None:
            raise ValueError(
                "train.freeze keeps what an encoder has learned before, and weights: null are "
                "random; leave one of the two out"
            )
        return self

    @property
    def network(self) -> ModelSpec:
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
        problems = [*self._weights_problems(), *self._threshold_problems()]
        problems += [*self._submission_problems(), *self._reference_problems()]
        problems += [*self._dtype_problems(), *self._multiclass_problems()]
        problems += [*self._band_problems(), *self._loss_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _weights_problems(self) -> list[str]:
        weights = self.ensemble.weights
        if not isinstance(weights, dict):
            return []
        if set(weights) != set(self.models):
            return [
                f"ensemble.weights names {sorted(weights)}, but the models are "
                f"{sorted(self.models)}"
            ]
        return [] if sum(weights.values()) > 1e-6 else ["ensemble.weights sum to zero"]

    def _threshold_problems(self) -> list[str]:
        threshold, count = self.ensemble.threshold, len(self.data.classes)
        if isinstance(threshold, tuple) and len(threshold) != count:
            return [f"ensemble.threshold has {len(threshold)} values for {count} classes"]
        return []

    def _dtype_problems(self) -> list[str]:
        by_model = {name: model.infer.dtype for name, model in self.models.items()}
        if len(set(by_model.values())) == 1:
            return []
        listed = ", ".join(f"{name} {dtype}" for name, dtype in by_model.items())
        return [f"infer.dtype: a blend needs maps of one dtype, and the models have {listed}"]

    def _multiclass_problems(self) -> list[str]:
        if not self.data.multiclass:
            return []
        problems = []
        if self.ensemble.postprocess:
            problems.append(
                "ensemble.postprocess: steps act on one class at a time, and data.multiclass needs "
                "exactly one class per pixel; leave postprocess empty"
            )
        threshold = self.ensemble.threshold
        if 0 in (threshold if isinstance(threshold, tuple) else (threshold,)):
            problems.append(
                "ensemble.threshold: multiclass maps are compared by probability ÷ threshold, so "
                "no threshold may be 0"
            )
        return problems

    def _submission_problems(self) -> list[str]:
        settings, several = self.submission, len(self.data.classes) > 1
        if several and settings.rows != "class":
            return [
                f"submission.rows: {settings.rows} allows one class only; for several classes set "
                "rows: class and a key with {class} in it"
            ]
        return []

    def _reference_problems(self) -> list[str]:
        if self.data.reference is not None:
            return []
        return [
            f"models.{name}.reference: {model.reference} needs data.reference"
            for name, model in self.models.items()
            if model.reference in ("difference", "siamese")
        ]

    def _band_problems(self) -> list[str]:
        problems, known = [], self.data.band_names
        for name, model in self.models.items():
            shown, rules = model.input.bands or known, model.input.normalise
            if strange := sorted(set(shown) - set(known)):
                problems.append(
                    f"models.{name}.input.bands: there is no band {strange[0]!r}"
                    f"{did_you_mean(strange[0], known)}"
                )
            own = dict.fromkeys(map(own_name, shown))
            if isinstance(rules, dict) and set(rules) != set(own):
                problems.append(
                    f"models.{name}.input.normalise: give one rule for all bands, or one for each "
                    f"of {', '.join(own)}"
                )
            if len(set(shown)) != len(shown):
                problems.append(f"models.{name}.input.bands: a band stands twice")
            if self.data.bands is None:
                if model.train.augment.band_drop:
                    problems.append(f"models.{name}.train.augment.band_drop needs data.bands")
                continue
            if _mixes_values(model.infer.tta):
                problems.append(
                    f"models.{name}.infer.tta: scale, brightness and gamma are for 8-bit RGB, and "
                    "not for data.bands"
                )
            if model.train.augment.colour_on != "cpu":
                problems.append(
                    f"models.{name}.train.augment.colour_on: device is for 8-bit RGB, and not for "
                    "data.bands"
                )
        return problems

    def _loss_problems(self) -> list[str]:
        problems = []
        for name, model in self.models.items():
            own = model.train.loss != self.train.loss
            place = f"models.{name}.train.loss" if own else "train.loss"
            found = misfits(model.train.loss or (), self.data.class_names, self.data.multiclass)
            problems += [f"{place}: {each}" for each in found]
        return list(dict.fromkeys(problems))

    @property
    def metric_name(self) -> str:
        """The metric's name in the registry."""
        return self.metric if isinstance(self.metric, str) else str(self.metric["name"])

    def losses(self, train: TrainConfig) -> tuple[LossTerm, ...]:
        """The terms of the loss that `train` asks for; `loss: null` is cross-entropy and Dice."""
        if train.loss is not None:
            return resolved(train.loss, self.data.class_names)
        return Ce(name="ce") if self.data.multiclass else Bce(name="bce"), Dice(name="dice")


def _mixes_values(views: tuple[str, ...]) -> bool:
    return any(name in view for view in views for name in ("scale", "brightness", "gamma"))


def slug(text: str) -> str:
    """`text` with everything that does not belong into a file name replaced."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.") or "unnamed"
