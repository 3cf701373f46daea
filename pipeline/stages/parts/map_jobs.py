"""The maps to predict, their inputs, and the jobs that predict missing ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod

import pandas as pd

from pipeline.data.catalog import Part
from pipeline.data.stacks import ids_by_stack
from pipeline.ensemble.outputs import plane_names
from pipeline.errors import ArtefactError
from pipeline.inference.job import VERSION, InferJob, MemberWeights, Output
from pipeline.inference.map_ranges import number_of_ranges, whole_ranges
from pipeline.inference.other_axes import further_axes
from pipeline.inference.sinks import Sink
from pipeline.inference.tiled import VERSION as TILES
from pipeline.manifests import fingerprint, fingerprints_with, is_fresh, named_files
from pipeline.maps import MapShape
from pipeline.maps.planned import PlannedStore
from pipeline.member_id import MemberId
from pipeline.stages import align, check, folds
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.train import Member
from pipeline.workspace import MapPart

TOGETHER_BYTES = 2**30  # weights of the models that one job holds, so that memory has a bound
SOURCE: dict[MapPart, Part] = {"oof": "train", "test": "test"}


@dataclass(frozen=True)
class Predicting:
    """Everything that determines the maps to predict."""

    context: StageContext
    survey: Survey
    table: pd.DataFrame
    members: Mapping[MemberId, Member]

    @classmethod
    def of(cls, context: StageContext, members: Mapping[MemberId, Member]) -> Predicting:
        return cls(context, check.run(context), folds.run(context), members)

    def ids(self, part: MapPart) -> list[str]:
        """The images of that part that get maps."""
        return [shape.id for shape in self.shapes(part)]

    def shapes(self, part: MapPart) -> tuple[MapShape, ...]:
        return self._shapes[part]

    @cached_property
    def _shapes(self) -> dict[MapPart, tuple[MapShape, ...]]:
        """Listed once for all models."""
        sizes = self.survey.sizes
        return {
            part: tuple(MapShape(each, *sizes[source, each]) for each in self._ids(part))
            for part, source in SOURCE.items()
        }

    def _ids(self, part: MapPart) -> list[str]:
        if part == "test":
            return [record.id for record in self.survey.of("test")]
        used: list[str] = self.table.loc[
            self.table["fold"].isin(self.context.used_folds()), "id"
        ].tolist()
        return used

    def store(self, model: str, part: MapPart) -> PlannedStore:
        """The model's store of that part."""
        infer = self.context.experiment.models[model].infer
        return PlannedStore(
            folder=self.context.workspace.maps(model, part),
            shapes=self.shapes(part),
            classes=plane_names(self.context.experiment.data.class_names, self._outputs),
            fingerprint=self._fingerprint(model, part),
            dtype=infer.dtype,
            codec=infer.codec,
            shards=partial(self._shards, model, part),
            sources=self.sources(model, part),
        )

    def _shards(self, model: str, part: MapPart) -> list[list[str]]:
        """The ids of each shard: ranges that one job predicts; none where one machine works."""
        if self.context.hosts == 1:
            return []
        if part == "test":
            return self._split(self.ids(part), part, 1, [model])
        used, shards = self.context.used_folds(), list[list[str]]()
        for fold in used:
            mine = set(self.table.loc[self.table["fold"] == fold, "id"])
            ids = [each for each in self.ids(part) if each in mine]
            shards += self._split(ids, part, len(used), [model]) if ids else []
        return shards

    def _fingerprint(self, model: str, part: MapPart) -> str:
        """Everything that all maps of a store have in common; `sources` holds the rest."""
        config, data = self.context.experiment.models[model], self.context.experiment.data
        return fingerprint(
            VERSION,
            part,
            config.architecture.model_copy(update={"weights": None, "allow_partial": False}),
            config.input,
            config.infer.model_copy(update={"batch": 1, "compile": False}),
            data.class_names,
            data.multiclass,
            data.frame,
            None if config.reference == "none" else align.settings_of(self.context),
            [(shape.id, shape.height, shape.width) for shape in self.shapes(part)],
            self._folds(part),
            *([] if config.infer.tile is None else [TILES]),
            *([self._outputs] if self._outputs else []),
        )

    @property
    def _outputs(self) -> tuple[str, ...]:
        """The auxiliary outputs whose planes follow those of the classes."""
        return self.context.experiment.ensemble.used_outputs

    def _folds(self, part: MapPart) -> list[int]:
        """Whose members predict the part."""
        context = self.context
        return context.used_folds() if part == "oof" else context.predicting_folds()

    def sources(self, model: str, part: MapPart) -> dict[str, str]:
        """Id → fingerprint of the image's bytes and of the weights that predict it.

        Of out-of-fold maps, those of the chosen folds: the other members may not be trained yet.
        """
        digests, folds = self._digests(model, part), self.context.folds()
        if part == "test":
            source_of = fingerprints_with(self._checksums(model, self._folds(part)))
            return {each: source_of(digests[each]) for each in self.ids("test")}
        of_fold = {fold: fingerprints_with(self._checksums(model, [fold])) for fold in folds}
        chosen = self.table[self.table["fold"].isin(folds)]
        return {
            each: of_fold[fold](digests[each])
            for each, fold in zip(chosen["id"], chosen["fold"], strict=True)
        }

    def _checksums(self, model: str, folds: Sequence[int]) -> list[str | None]:
        """Of the weights that predict; None of a member that is not trained, as a plan finds it."""
        members = [self.members[each] for each in self.context.members(model, folds)]
        return [
            weights_of(each).checksum if is_fresh(each.paths.manifest, each.fingerprint) else None
            for each in members
        ]

    def jobs(
        self,
        what: str,
        part: MapPart,
        pending: Mapping[str, Sequence[str]],
        sink_of: Callable[[Sequence[str], Sequence[str]], Sink],
        used: Sequence[int],
        share: int = 1,
        files_of: Callable[[Sequence[str], str], Hashable] = lambda models, each: None,
    ) -> dict[str, InferJob]:
        """Jobs, by name, for what each model lacks: models that lack the same share each decoding.

        pending: ids by model; sink_of: where the maps of some models of some ids go; used: the
        folds whose members are averaged; share: how many such calls divide the devices between
        them; files_of: the files of some models that an image's maps go to, where no job may
        write to those of two.
        """
        jobs = {}
        for models, ids in self.together(pending, used):
            pieces = dict[Hashable, list[str]]()
            for each in ids:
                pieces.setdefault(files_of(models, each), []).append(each)
            ranges = list(pieces.values())
            if len(ranges) == 1:
                ranges = self._split(ids, part, share, models)
            for number, some in enumerate(ranges):
                jobs[f"{what} {','.join(models)} {number}"] = InferJob(
                    outputs=tuple(self._output(model, used) for model in models),
                    sink=sink_of(models, some),
                    classes=len(self.context.experiment.data.classes),
                    multiclass=self.context.experiment.data.multiclass,
                    reader=align.run(self.context),
                    samples=self.survey.samples(SOURCE[part], some),
                    decoded=self.context.workspace.decoded if part == "oof" else None,
                    auxiliary=self._outputs,
                )
        return jobs

    def together(
        self, pending: Mapping[str, Sequence[str]], used: Sequence[int]
    ) -> Iterator[tuple[list[str], Sequence[str]]]:
        """Models that lack the same images, as many as may be in memory at once; and the images."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for model, ids in pending.items():
            alike.setdefault(tuple(ids), []).append(model)
        for ids, models in alike.items():
            group: list[str] = []
            size = 0
            for model in models if ids else ():
                own = sum(weights.size for weights in self._weights(model, used))
                if group and size + own > TOGETHER_BYTES:
                    yield group, ids
                    group, size = [], 0
                group, size = [*group, model], size + own
            if group:
                yield group, ids

    def longest_first(self, jobs: Mapping[str, InferJob]) -> dict[str, InferJob]:
        """The jobs by falling work, so that none that is long begins last."""
        sizes = self.survey.sizes

        def work(job: InferJob) -> int:
            shapes = [sizes[sample.part, sample.id] for sample in job.samples]
            members = sum(len(output.members) for output in job.outputs)
            return members * sum(height * width for height, width in shapes)

        return dict(sorted(jobs.items(), key=lambda named: -work(named[1])))

    def _split(
        self, ids: Sequence[str], part: MapPart, share: int, models: Sequence[str]
    ) -> list[list[str]]:
        """Ranges of nearly as many pixels each, and of whole volumes where a model predicts these
        along several axes.
        """
        whole = any(self._along_axes(model) for model in models)
        groups = list(self._by_volume(ids).values()) if whole else [[each] for each in ids]
        sizes = self.survey.sizes
        pixels = [sum(prod(sizes[SOURCE[part], each]) for each in group) for group in groups]
        count = number_of_ranges(len(ids), len(self.context.machine.devices), share)
        return whole_ranges(groups, pixels, count)

    def _along_axes(self, model: str) -> bool:
        """True if what a slice's map shows depends on all slices of its volume."""
        experiment = self.context.experiment
        return bool(further_axes(experiment.models[model].infer, experiment.data))

    def _by_volume(self, ids: Sequence[str]) -> dict[str, list[str]]:
        order = self.context.experiment.data.order
        assert order is not None
        return ids_by_stack(ids, order)

    def _digests(self, model: str, part: MapPart) -> dict[str, str]:
        """Id → what changes with any image that the map of this one is made from."""
        source = SOURCE[part]
        own = {each: digest for (of, each), digest in self.survey.digests.items() if of == source}
        if not self._along_axes(model):
            return own
        found: dict[str, str] = {}
        for ids in self._by_volume(list(own)).values():
            together = fingerprint([own[each] for each in ids])
            found |= dict.fromkeys(ids, together)
        return found

    def _output(self, model: str, used: Sequence[int]) -> Output:
        return Output(self.context.experiment.models[model], self._weights(model, used))

    def _weights(self, model: str, used: Sequence[int]) -> tuple[MemberWeights, ...]:
        """Of all seeds of these folds: equal shares of the model's maps."""
        return tuple(weights_of(self.members[each]) for each in self.context.members(model, used))


def weights_of(member: Member) -> MemberWeights:
    """The weights that predict."""
    path = member.paths.weights(member.manifest.get("weights", "plain"))
    named = named_files(member.paths.manifest)
    if path not in named:
        raise ArtefactError(f"{member.paths.manifest} names no {path.name}; delete it, run make")
    return MemberWeights(member.id.name, path, named[path].sha256)
