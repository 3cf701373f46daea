"""The part of the report that shows images: the worst, the best, and some of the test set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config.colours import RGB
from pipeline.data.catalog import Sample
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.recipe import BlendInput
from pipeline.prediction.class_colours import class_colours
from pipeline.reports.html import Case, Section
from pipeline.reports.overlay import CONFUSED, OUTCOMES, VOID
from pipeline.reports.panels import prediction_panels, truth_panels
from pipeline.stages import align
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.infer import Inferred
from pipeline.stages.parts import summed_maps

CASES = 6


@dataclass(frozen=True)
class TestMaps:
    """content: what changes with any map; read(id): what the recipe decides a test image from."""

    content: Any
    read: Callable[[str], BlendInput]


def test_maps(context: StageContext, survey: Survey, inferred: Inferred) -> TestMaps | None:
    """Each model's own maps, or their sums; None where there are no test images."""
    if not survey.of("test"):
        return None
    if context.experiment.ensemble.accumulate:
        sums = summed_maps.run(context)
        return TestMaps(sums.content, summed_maps.reader_of(sums))
    content = {name: store.content for name, store in inferred.test.items()}
    return TestMaps(content, reader_of(inferred.test))


def scored(
    context: StageContext,
    survey: Survey,
    inferred: Inferred,
    ensembled: Ensembled,
    ranked: pd.DataFrame,
) -> Section:
    """The worst and the best out-of-fold images, no image twice; ranked: id and score, rising."""
    colours = _colours(context)
    reader, read = align.run(context), reader_of(inferred.oof)

    def cases(rows: pd.DataFrame) -> list[Case]:
        return [case(*row) for row in zip(rows["id"], rows["score"], strict=True)]

    def case(each: str, score: float) -> Case:
        sample = survey.catalog.by_id["train"][each]
        image = reader.picture(sample)
        truth = reader.truth(sample, (image.shape[0], image.shape[1]))
        decision = ensembled.recipe.decide(read(each), lambda: image)
        panels = truth_panels(image, truth, decision, list(colours.values()))
        return Case(each, f"{score:.4f}", panels)

    worst, best = worst_and_best(len(ranked))
    data = context.experiment.data
    outcomes = [
        (each.label, each.colour)
        for each in OUTCOMES
        if (each is not CONFUSED or len(colours) > 1) and (each is not VOID or data.has_void)
    ]
    return Section(
        "Worst and best images",
        "Out of fold, decided by the blend. Click an image to enlarge it.",
        legends={"classes": _legend(colours), "differences": outcomes},
        cases={"Worst": cases(ranked.iloc[worst]), "Best": cases(ranked.iloc[best][::-1])},
    )


def worst_and_best(images: int) -> tuple[slice, slice]:
    """Which of so many images, worst first, are shown as worst and as best: none as both."""
    worst = min(CASES, -(-images // 2))
    return slice(0, worst), slice(max(worst, images - CASES), images)


def tested(context: StageContext, survey: Survey, maps: TestMaps, ensembled: Ensembled) -> Section:
    """Some test images, evenly through the list of their ids, and what is predicted of them."""
    colours, reader = _colours(context), align.run(context)
    samples = survey.catalog.by_id["test"]

    def case(sample: Sample) -> Case:
        image = reader.picture(sample)
        decision = ensembled.recipe.decide(maps.read(sample.id), lambda: image)
        shares = zip(colours, decision.mean(axis=(1, 2)), strict=True)
        covered = ", ".join(f"{name} {share:.1%}" for name, share in shares)
        panels = prediction_panels(image, decision, list(colours.values()))
        return Case(sample.id, covered, panels)

    ids = sorted(samples)
    count = min(CASES, len(ids))
    chosen = [ids[place * len(ids) // count] for place in range(count)]
    return Section(
        "Predictions of test images",
        legends={"classes": _legend(colours)},
        cases={"": [case(samples[each]) for each in chosen]},
    )


def _colours(context: StageContext) -> dict[str, RGB]:
    return class_colours(context.experiment.data.classes)


def _legend(colours: dict[str, RGB]) -> list[tuple[str, RGB]]:
    """Black is background, which is shown as it is."""
    return [(name, colour) for name, colour in colours.items() if any(colour)]
