"""The lines of a plan: for each stage the work, the part that is done, and the time to go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data import rle
from pipeline.data.inspection import Record
from pipeline.disk_space import allocated_bytes
from pipeline.ensemble.blending.means import make_mean
from pipeline.ensemble.choose import thresholds_of
from pipeline.ensemble.recipe import Recipe
from pipeline.ensemble.search.scratch_room import assumed_bytes, scratch_bytes
from pipeline.maps.planned import PlannedStore
from pipeline.member_id import MemberId
from pipeline.metrics import metric_of
from pipeline.planning.forecast import Line, Work, on_devices, predict_seconds, train_seconds
from pipeline.planning.measure import Measured
from pipeline.stages import align, train
from pipeline.stages.context import StageContext
from pipeline.stages.infer import planned_stores
from pipeline.stages.parts import decoded_samples
from pipeline.stages.parts.map_jobs import Predicting
from pipeline.stages.parts.oof_source import oof_source
from pipeline.stages.parts.summed_maps import planned_sums
from pipeline.training.member import TrainJob
from pipeline.workspace import MapPart

SAMPLES = 3
FILES_A_STORE = 7  # header, index, records, sources, maps and two locks


def typical(records: Sequence[Record], count: int) -> list[str]:
    """Images evenly spread over the sizes there are, without the extremes."""
    ranked = sorted(records, key=lambda record: (record.height * record.width, record.id))
    places = (np.arange(min(count, len(ranked))) + 0.5) / count * len(ranked)
    return [ranked[min(int(place), len(ranked) - 1)].id for place in places]


@dataclass(frozen=True)
class Forecast:
    """A line for each stage, and for each model where it is one of several."""

    context: StageContext
    predicting: Predicting
    jobs: dict[MemberId, TrainJob]
    measured: dict[str, Measured]

    @property
    def working(self) -> int:
        """Bytes that training needs temporarily."""
        at_once = min(len(self.context.machine.devices), len(self.jobs))
        return at_once * max(each.footprint.working for each in self.measured.values())

    @cached_property
    def scratch(self) -> int:
        """About the bytes that the choice of the blend needs temporarily."""
        if self._is_done(self.context.workspace.blend_manifest):
            return 0
        experiment, ids = self.context.experiment, self.predicting.ids("oof")
        settings, metric = experiment.ensemble, metric_of(experiment.metric)
        truths, stores = bool(settings.postprocess), planned_stores(self.predicting)["oof"]
        oof = {name: store.existing for name, store in stores.items() if store.is_complete}
        dtype = next(iter(stores.values())).dtype
        if len(oof) < len(stores):
            size = make_mean("arithmetic", dtype).scale_type(dtype).itemsize
            pixels, classes = self.work("train", ids).pixels, len(experiment.data.class_names)
            return assumed_bytes(pixels, len(stores), classes, size, truths=truths)
        there = {name: store for name, store in oof.items() if store is not None}
        # What is disputed differs little with the mean, and that of ranks would read every map.
        mean = make_mean("arithmetic", dtype)
        source = oof_source(self.context, self.predicting.survey, ids, there, mean)
        thresholds = thresholds_of(settings.threshold, len(experiment.data.class_names))
        return scratch_bytes(source, metric, thresholds, truths=truths)

    def work(self, part: str, ids: Sequence[str]) -> Work:
        sizes = [self.predicting.survey.sizes[part, each] for each in ids]
        return Work(len(ids), sum(height * width for height, width in sizes))

    def decoded(self) -> Iterator[Line]:
        """Training samples that are kept decoded on the disk."""
        names = decoded_samples.kept_on_disk(self.context)
        if names:
            size, folder = decoded_samples.room(self.context, names), self.context.workspace.decoded
            count = len(self.predicting.survey.of("train"))
            present = min(size, allocated_bytes([folder]))
            yield Line("decode", f"{count} training samples", count, size, present, 0)

    def train(self) -> Iterator[Line]:
        for model, measured in self.measured.items():
            mine = [job for member, job in self.jobs.items() if member.model == model]
            left = [job for job in mine if not train.is_trained(job)]
            seconds = [
                train_seconds(
                    measured,
                    [part.length.total for part in job.parts],
                    sum(part.validated.count for part in job.parts),
                    self.work("train", [sample.id for sample in job.held_out]),
                )
                for job in left
            ]
            kept = measured.footprint.kept * len(mine)
            yield Line(
                "train",
                f"{model}: {len(mine)} members",
                measured.footprint.files * len(mine),
                kept,
                min(kept, allocated_bytes([job.paths.folder for job in mine])),
                on_devices(seconds, len(self.context.machine.devices)),
            )

    def infer(self) -> Iterator[Line]:
        for part, stores in planned_stores(self.predicting).items():
            for model, store in stores.items():
                pending = store.pending()
                members = self._predicting(model, part)
                work = self.work("train" if part == "oof" else "test", pending)
                yield Line(
                    "infer",
                    f"{model}: {len(store.shapes)} {part} maps",
                    FILES_A_STORE,
                    self._stored(model, store),
                    allocated_bytes([store.folder]) if store.existing else 0,
                    predict_seconds(self.measured[model], work, members)
                    / len(self.context.machine.devices),
                )

    def _predicting(self, model: str, part: MapPart) -> int:
        """How many members a map is the mean of."""
        folds = 1 if part == "oof" else len(self.context.predicting_folds())
        return folds * self.context.experiment.models[model].seeds

    def _stored(self, model: str, store: PlannedStore) -> int:
        if store.codec == "raw":
            return store.slot_bytes
        pixels = sum(shape.height * shape.width for shape in store.shapes)
        return round(pixels * self.measured[model].stored)

    def ensemble(self) -> Iterator[Line]:
        """Reading every OOF map once; how long the search goes on, only its maps can tell."""
        work = self.work("train", self.predicting.ids("oof"))
        seconds = sum(each.read_s for each in self.measured.values()) * work.pixels
        done = self._is_done(self.context.workspace.blend_manifest)
        cores = self.context.machine.cores
        yield Line("ensemble", "reads the OOF maps once", 3, 0, 0, 0 if done else seconds / cores)

    def submit(self) -> Iterator[Line]:
        """The rows of the test images, as long as those of the training masks are."""
        ids = self.predicting.ids("test")
        if not ids:
            return
        work = self.work("test", ids)
        if self.context.experiment.ensemble.accumulate:
            yield self._sums(work)
        cores = self.context.machine.cores
        seconds = sum(each.read_s for each in self.measured.values()) * work.pixels / cores
        if self._is_done(self.context.workspace.submissions):
            seconds = 0
        yield Line("submit", f"rows of {len(ids)} images", 2, self._row_bytes(work), 0, seconds)

    def _is_done(self, artefact: Path) -> bool:
        """True if it exists, and no out-of-fold map that it depends on is missing."""
        stores = planned_stores(self.predicting)["oof"].values()
        return artefact.exists() and all(store.is_complete for store in stores)

    def _sums(self, work: Work) -> Line:
        """As if every model had weight: the ensemble may spare some of them."""
        models = list(self.measured)
        mean = make_mean("arithmetic", self.context.experiment.models[models[0]].infer.dtype)
        recipe = Recipe(dict.fromkeys(models, 1.0), (), multiclass=False, mean=mean)
        planned = planned_sums(self.predicting, recipe)
        present = allocated_bytes([planned.folder])
        seconds = sum(
            predict_seconds(each, work, self._predicting(model, "test"))
            for model, each in self.measured.items()
        )
        return Line(
            "submit",
            f"{work.images} test maps, summed",
            FILES_A_STORE,  # members instead of sources
            planned.certain_bytes,
            min(present, planned.certain_bytes),
            seconds / len(self.context.machine.devices),
        )

    def _row_bytes(self, work: Work) -> int:
        settings, reader = self.context.experiment.submission, align.run(self.context)
        if settings.format in ("npy", "pixels"):  # as long whatever is in the masks
            return work.pixels * (
                np.dtype(settings.dtype).itemsize if settings.format == "npy" else 2
            )
        records = self.predicting.survey.of("train")
        size = pixels = 0
        for sample in self.predicting.survey.samples("train", typical(records, SAMPLES)):
            shape = self.predicting.survey.sizes["train", sample.id]
            for plane in reader.truth(sample, shape).planes:
                text = rle.to_text(rle.runs_of(plane, settings.order), relative=settings.relative)
                size += len(text) + len(sample.id) + len(settings.key)
            pixels += shape[0] * shape[1]
        return round(size / pixels * work.pixels)
