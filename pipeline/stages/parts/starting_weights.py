"""Loads starting weights into their networks, before hours are spent on other members."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pipeline.channels import Channels
from pipeline.checks.finding import Finding
from pipeline.config import ModelConfig, ModelSpec
from pipeline.data.image_sources.registry import image_source, shown_bands
from pipeline.errors import ConfigError
from pipeline.manifests import fingerprint, is_fresh, write_manifest
from pipeline.models.factory import build_model
from pipeline.models.grafting.stitch import backbones_of
from pipeline.models.grafting.weights import PRETRAINED, find_weights, local_source
from pipeline.models.provenance import starting_point
from pipeline.stages.context import StageContext


def fetch_weights(specs: Iterable[ModelSpec], say: Callable[[str], None]) -> None:
    """Bring weights that no package or file holds onto this machine, each once.

    Jobs would each wait for a hub that cannot be reached, and each fail. Raises ConfigError.
    """
    for name in dict.fromkeys(name for spec in specs for name in _hub_encoders(spec)):
        say(f"train: pretrained weights of {name}, from timm's cache or hub")
        find_weights(name, PRETRAINED)


def _hub_encoders(spec: ModelSpec) -> Iterator[str]:
    if spec.weights != PRETRAINED or spec.encoder is None:
        return
    for name in backbones_of(spec.encoder):
        if ":" not in name and local_source(name, PRETRAINED) is None:
            yield name


def misfits(context: StageContext) -> list[Finding]:
    """An error for every model whose file of weights is not of its encoder.

    Networks that accepted their weights are not built again while the files stay unchanged.
    """
    data = context.experiment.data
    chosen = {
        name: _from_file(model)
        for name, model in context.experiment.models.items()
        if (model.init is None and model.weights not in (None, PRETRAINED)) or _is_file(model.init)
    }
    if not chosen:
        return []
    source, references = image_source(data), data.reference is not None
    channels = {
        name: Channels(source.channels, references, source.scale, shown_bands(source, model.input))
        for name, model in chosen.items()
    }
    networks = {
        name: [model.architecture, starting_point(model.architecture), channels[name].seen.total]
        for name, model in chosen.items()
    }
    made_from = fingerprint("weights/2", networks)
    if is_fresh(context.workspace.weights_manifest, made_from):
        return []

    def found() -> Iterator[Finding]:
        for name, model in chosen.items():
            try:
                build_model(model.architecture, classes=len(data.classes), channels=channels[name])
            except ConfigError as error:
                key = "weights" if model.init is None else "init"
                yield Finding("error", f"models.{name}.{key}", str(error))

    findings = list(found())
    if not findings:
        write_manifest(context.workspace.weights_manifest, made_from)
    return findings


def _is_file(init: str | None) -> bool:
    return init is not None and Path(init).is_file()


def _from_file(model: ModelConfig) -> ModelConfig:
    """`init` with a file is `weights`."""
    return model if model.init is None else model.model_copy(update={"weights": model.init})
