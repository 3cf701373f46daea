"""Says which auxiliary outputs of a model will learn little from its images."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.auxiliary import Presence
from pipeline.data.listing import listed
from pipeline.member_id import MemberId
from pipeline.stages import check
from pipeline.stages.context import StageContext
from pipeline.training.member import TrainJob


def warn(context: StageContext, jobs: Iterable[TrainJob]) -> None:
    """Warn of classes whose presence is the same in all training images of a member."""
    shares = {record.id: record.shares for record in check.run(context).of("train")}
    first = dict[tuple[str, int], TrainJob]()  # the seeds of a fold see the same images
    for job in jobs:
        first.setdefault(MemberId.named(job.name)[:2], job)
    for (model, _), job in first.items():
        for number, output in enumerate(job.model.auxiliary):
            if isinstance(output, Presence):
                place = f"models.{model}.auxiliary[{number}]"
                _warn(context, f"{place}: presence of {job.name}", job, shares)


def _warn(
    context: StageContext, place: str, job: TrainJob, shares: dict[str, tuple[float, ...]]
) -> None:
    there = [[share > 0 for share in shares[sample.id]] for sample in job.train]
    for word, every in (("in every", all), ("in no", lambda seen: not any(seen))):
        same = [
            name
            for name, seen in zip(job.classes, zip(*there, strict=True), strict=True)
            if every(seen)
        ]
        if same:
            context.reporter.warn(
                f"{place}: {listed(same)} is {word} training image, so it cannot learn which "
                "images have the class; leave presence out"
            )
