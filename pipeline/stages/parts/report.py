"""Draws the page of an experiment: scorecard, learning curves, best and worst cases, folds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.data.ground_truth import Truth
from pipeline.data.resize import resize_image, resize_planes
from pipeline.ensemble.members import reader_of
from pipeline.reports import choices
from pipeline.reports.data_uri import figure_uri, image_uri
from pipeline.reports.html import Case, Headline, Picture, Report, Section, Table, render_report
from pipeline.reports.overlay import overlay
from pipeline.reports.plots import fold_health, learning_curves
from pipeline.stages import align
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.infer import Inferred
from pipeline.stages.parts import report_alignment

CASES = 6
LONGEST = 640  # pixels of a case's longer side on the page
RULE = (
    "The simplest thresholds whose nested score is within one standard error (paired by group) of "
    "the best ones' are chosen: 0.5 before the middle of the plateau before the searched ones."
)
WITHOUT = (
    "Without a model its weight goes to the others in proportion, and thresholds are chosen anew. "
    "Intervals are paired by group; one that holds 0 says that the data cannot tell."
)


def render(
    context: StageContext,
    survey: Survey,
    fold_table: pd.DataFrame,
    inferred: Inferred,
    ensembled: Ensembled,
    table: pd.DataFrame,
) -> str:
    """One self-contained HTML page."""
    scores = pd.read_csv(context.workspace.oof_scores, dtype={"id": str}, keep_default_na=False)
    ranked = scores.sort_values(["score", "id"]).reset_index(drop=True)
    # The steps are the same in every row, and named above the table.
    shown = table.drop(columns="post-processing").fillna("")
    return render_report(
        Report(
            name=context.experiment.name,
            headline=_headline(context, ensembled),
            facts=_facts(context, survey, ensembled),
            scorecard=Table(shown.columns.tolist(), shown.to_numpy().tolist(), emphasised=-1),
            curves=_curves(context),
            worst=_cases(context, survey, inferred, ensembled, ranked.head(CASES)),
            best=_cases(context, survey, inferred, ensembled, ranked.tail(CASES)[::-1]),
            folds=_folds(context, survey, fold_table),
            sections=[*_choices(ensembled), _worths(ensembled), *_alignment(context, survey)],
        )
    )


def _headline(context: StageContext, ensembled: Ensembled) -> Headline:
    score, metric = ensembled.facts["score"], context.experiment.metric_name
    low, high = score["interval"]
    note = f"{score['interval_level']:.0%} of test sets like this one: {low:.4f} … {high:.4f}"
    if score["nested"] is None:
        return Headline(
            f"{metric}, tuned (one fold: no nested score)", f"{score['tuned']:.5f}", note
        )
    return Headline(f"{metric}, nested", f"{score['nested']:.5f}", note)


def _facts(context: StageContext, survey: Survey, ensembled: Ensembled) -> list[tuple[str, str]]:
    score = ensembled.facts["score"]
    gap = "unknown" if score["gap"] is None else f"{score['gap']:+.5f}"
    groups = len(set(survey.groups.values()))
    return [
        ("training images", f"{len(survey.of('train'))} in {groups} groups"),
        ("test images", str(len(survey.of("test")))),
        ("classes", ", ".join(context.experiment.data.class_names)),
        ("post-processing", choices.named_steps(ensembled.facts["postprocess"])),
        ("tuned score", f"{score['tuned']:.5f}"),
        ("tuned − nested", gap),
    ]


def _curves(context: StageContext) -> Picture:
    histories = {
        model: [
            pd.read_csv(context.workspace.member(model, fold).history)
            for fold in context.used_folds()
        ]
        for model in context.experiment.models
    }
    metric = context.experiment.metric_name
    figure = learning_curves(histories, {"training loss": ["loss"], metric: ["score"]})
    return Picture(figure_uri(figure), "one line a fold; the score is of the held-out fold, at 0.5")


def _cases(
    context: StageContext,
    survey: Survey,
    inferred: Inferred,
    ensembled: Ensembled,
    rows: pd.DataFrame,
) -> list[Case]:
    reader, read = align.run(context), reader_of(inferred.oof)
    cases = []
    for sample_id, score in zip(rows["id"], rows["score"], strict=True):
        sample = survey.catalog.by_id["train"][sample_id]
        image = reader.picture(sample)
        truth = reader.truth(sample, (image.shape[0], image.shape[1]))
        decision = ensembled.recipe.decide(read(sample_id))
        picture = _painted(image, truth, decision)
        cases.append(Case(sample_id, f"{score:.4f}", image_uri(picture, LONGEST)))
    return cases


def _painted(image: np.ndarray, truth: Truth, decision: np.ndarray) -> np.ndarray:
    """The overlay, at the size it is shown in."""
    factor = min(1.0, LONGEST / max(image.shape[:2]))
    size = (max(1, round(image.shape[0] * factor)), max(1, round(image.shape[1] * factor)))
    valid = truth.valid
    if valid is not None:
        valid = resize_planes(valid[None].view(np.uint8), size)[0].view(np.bool_)
    small = Truth(resize_planes(truth.planes, size), valid)
    decided = resize_planes(decision.view(np.uint8), size).view(np.bool_)
    return overlay(resize_image(image, size), small, decided)


def _folds(context: StageContext, survey: Survey, fold_table: pd.DataFrame) -> Picture:
    coverage = pd.Series({record.id: sum(record.shares) for record in survey.of("train")})
    return Picture(figure_uri(fold_health(fold_table, coverage)), "no group is in two folds")


def _alignment(context: StageContext, survey: Survey) -> list[Section]:
    if context.experiment.data.reference is None:
        return []
    return [report_alignment.section(context, survey)]


def _choices(ensembled: Ensembled) -> list[Section]:
    """What was chosen for the thresholds and post-processing, beside what it competed with."""
    facts = ensembled.facts
    thresholds = Section("Thresholds", RULE, Table(*choices.threshold_table(facts)))
    if not facts["postprocess_tried"]:
        return [thresholds]
    return [thresholds, Section("Post-processing", table=Table(*choices.step_table(facts)))]


def _worths(ensembled: Ensembled) -> Section:
    facts = ensembled.facts
    steps = choices.named_steps(facts["postprocess"])
    text = f"Every score is with the same post-processing: {steps}. {WITHOUT}"
    best = facts["best_single"]
    if best is not None and len(facts["models"]) > 1:
        above = choices.signed_interval(best["blend_above"])
        text += f" Blend − best single model ({best['model']}), nested: {above}."
    table = Table(*choices.worth_table(facts))
    return Section("What each model is worth to the blend", text, table)
