"""Networks that are built before any is trained: can they be, do they fit, do they take batches?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline import disk_space
from pipeline.channels import Channels
from pipeline.config import ModelConfig
from pipeline.data.samples import SampleReader
from pipeline.errors import ConfigError
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.segmentation import SegmentationModel
from pipeline.stages.context import StageContext
from pipeline.training.checkpointing import checkpoint_encoder
from pipeline.training.disk_bytes import Footprint, footprint
from pipeline.training.drop_path import drop_paths
from pipeline.training.member import TrainJob
from pipeline.training.rehearsal import check_batch


def check_room(context: StageContext, stale: list[TrainJob]) -> None:
    """ResourceError unless the checkpoints fit; that needs each network's size, so it is built."""
    first = {_kind(job): job for job in reversed(stale)}
    each = {kind: _footprint(job) for kind, job in first.items()}
    kept = sum(each[_kind(job)].kept for job in stale)
    at_once = min(len(context.machine.devices), len(stale))
    working = at_once * max(footprint.working for footprint in each.values())
    folders = [job.paths.folder for job in stale]
    disk_space.check_room("train", kept + working, folders, context.workspace.run, "")


def _kind(job: TrainJob) -> tuple[str, Channels]:
    """What the size of a network depends on."""
    architecture = job.model.architecture.model_dump_json()
    return architecture, job.reader.channels_for(job.model.input)


def _footprint(job: TrainJob) -> Footprint:
    with _naming(job.name.partition("/")[0]):
        network = unweighted(job.model, len(job.classes), job.reader)
    add_outputs(network, job.model, len(job.classes), [each.facts for each in job.columns])
    return footprint(network, job.model.train)


def rehearse(context: StageContext, reader: SampleReader) -> None:
    """ConfigError where a chosen model cannot be trained on its batches."""
    for name in context.models():
        model = context.experiment.models[name]
        for key, part in model.train.parts():
            if part.batch > 1 and not part.checkpointing and not part.drop_path:
                continue
            with _naming(name):
                network = unweighted(model, len(context.experiment.data.class_names), reader)
            if part.drop_path:
                drop_paths(name, network, part.drop_path, key)
            if part.checkpointing:
                checkpoint_encoder(name, network, key)
            check_batch(name, network, reader.channels.total, part, key)


def make_networks(context: StageContext, reader: SampleReader) -> None:
    """ConfigError where a chosen model cannot be made, or not with its weights."""
    classes = len(context.experiment.data.class_names)
    for name in context.models():
        model = context.experiment.models[name]
        if model.init is None:  # else `warm_start` does
            channels = reader.channels_for(model.input)
            with _naming(name):
                build_model(model.architecture, classes=classes, channels=channels)


@contextmanager
def _naming(model: str) -> Iterator[None]:
    """Begin why a network cannot be made by the model that it is of."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"models.{model}: {error}") from None


def unweighted(model: ModelConfig, classes: int, reader: SampleReader) -> SegmentationModel:
    """The model with random numbers, which has the size and shapes of the trained one."""
    spec = model.architecture.model_copy(update={"weights": None})
    return build_model(spec, classes=classes, channels=reader.channels_for(model.input))
