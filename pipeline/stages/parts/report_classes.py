"""The part of the report about scores by class and about objects."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.ensemble.blending.threads import ordered
from pipeline.ensemble.members import reader_of
from pipeline.manifests import fingerprint, read_manifest, write_manifest
from pipeline.reports.class_scores import (
    ClassScores,
    ImageCounts,
    confusion_table,
    count_image,
    object_table,
    score_table,
)
from pipeline.reports.html import Section
from pipeline.stages import align
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.infer import Inferred

VERSION = "class_scores/1"
PIXELS = (
    "Of the out-of-fold images, with the thresholds and the post-processing of the blend. Dice of "
    "an image is the mean over images (both masks empty: 1); the other scores are of the pixels of "
    "all images together."
)
CONFUSION = "Of the pixels of a true class (a row), how many are decided as which class."
OBJECTS = (
    "Found: matched by one component of the prediction with IoU above 0.5. Missed: less than half "
    "of it is predicted. Merged: more than half of it lies in a component that holds more than "
    "half of another object, too. Counted: components of the prediction."
)


def sections(
    context: StageContext, survey: Survey, inferred: Inferred, ensembled: Ensembled, ids: list[str]
) -> Iterator[Section]:
    """Scores by class; confusions of multiclass maps; objects where the masks tell them apart."""
    scores = _scores(context, survey, inferred, ensembled, ids)
    yield Section("Score of each class", PIXELS, score_table(scores))
    if scores.confusion is not None:
        table = confusion_table(scores.classes, scores.confusion)
        yield Section("Which class is taken for which", CONFUSION, table)
    if scores.objects is not None:
        yield Section("Objects", OBJECTS, object_table(scores.classes, scores.objects))


def _scores(
    context: StageContext, survey: Survey, inferred: Inferred, ensembled: Ensembled, ids: list[str]
) -> ClassScores:
    """The stored counts of this blend, or new ones, for which every out-of-fold map is read."""
    path = context.workspace.class_scores
    made_from = fingerprint(VERSION, ensembled.fingerprint)
    known = read_manifest(path) or {}
    if known.get("fingerprint") == made_from:
        return ClassScores.from_json(known["scores"])
    counted = _counted(context, survey, inferred, ensembled, ids)
    scores = ClassScores.of(context.experiment.data.class_names, counted)
    write_manifest(path, made_from, scores=scores.as_json())
    return scores


def _counted(
    context: StageContext, survey: Survey, inferred: Inferred, ensembled: Ensembled, ids: list[str]
) -> Iterator[ImageCounts]:
    reader, read = align.run(context), reader_of(inferred.oof)
    samples, multiclass = survey.catalog.by_id["train"], context.experiment.data.multiclass

    def count(each: str) -> ImageCounts:
        truth = reader.truth(samples[each], survey.sizes["train", each])
        decision = ensembled.recipe.decide(read(each), lambda: reader.picture(samples[each]))
        return count_image(decision, truth, multiclass)

    with context.reporter.track("scorecard", len(ids)) as advance:
        for counts in ordered(count, ids):
            advance(1)
            yield counts
