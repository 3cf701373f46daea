"""Assembles the report page of an experiment from its parts."""

from __future__ import annotations

import itertools

import pandas as pd

from pipeline.prediction.class_colours import class_colours
from pipeline.reports import choices
from pipeline.reports.data_uri import figure_uri
from pipeline.reports.html import Folded, Headline, Picture, Report, Section, Table, render_report
from pipeline.reports.plots import fold_health, learning_curves
from pipeline.stages.check import Survey
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled
from pipeline.stages.infer import Inferred
from pipeline.stages.parts import (
    report_alignment,
    report_bands,
    report_cases,
    report_classes,
    report_provenance,
)
from pipeline.stages.parts.report_cases import TestMaps

RULE = (
    "The simplest thresholds whose nested score is within one standard error (paired by group) of "
    "the best ones' are chosen: 0.5 before the middle of the plateau before the searched ones."
)
WEIGHTS = (
    "The first rule, from the left, whose nested score is within one standard error (paired by "
    "group) of the best one's is chosen. Each rule's thresholds are its own."
)
WITHOUT = (
    "Without a model its weight goes to the others in proportion, and thresholds are chosen again. "
    "Intervals are paired by group; one that holds 0 says that the data cannot tell."
)


def render(
    context: StageContext,
    survey: Survey,
    fold_table: pd.DataFrame,
    inferred: Inferred,
    ensembled: Ensembled,
    table: pd.DataFrame,
    test_maps: TestMaps | None,
) -> str:
    """One self-contained HTML page; test_maps: None where there are no test images."""
    scores = pd.read_csv(context.workspace.oof_scores, dtype={"id": str}, keep_default_na=False)
    ranked = scores.sort_values(["score", "id"]).reset_index(drop=True)
    # The steps are the same in every row, and named above the table.
    shown = table.drop(columns="post-processing").fillna("")
    card = Table(shown.columns.tolist(), shown.to_numpy().tolist(), emphasised=-1)
    ids = scores["id"].tolist()
    tested = [report_cases.tested(context, survey, test_maps, ensembled)] if test_maps else []
    sections = [
        Section("Scorecard", table=card),
        *report_classes.sections(context, survey, inferred, ensembled, ids),
        report_cases.scored(context, survey, inferred, ensembled, ranked),
        *tested,
        _curves(context),
        *_choices(ensembled),
        _worths(ensembled),
        _folds(context, survey, fold_table),
        *report_bands.sections(context, survey),
        *_alignment(context, survey),
        report_provenance.section(context, ensembled),
    ]
    name, headline = context.experiment.name, _headline(context, ensembled)
    return render_report(Report(name, headline, _facts(context, survey, ensembled), sections))


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


def _curves(context: StageContext) -> Section:
    """All folds in one figure, and each fold in a figure that opens on a click."""
    folds = context.used_folds()
    histories = {
        model: {
            member: pd.read_csv(context.workspace.member(member).history)
            for member in context.members(model, folds)
        }
        for model in context.experiment.models
    }
    panels = {
        "training loss": ["loss"],
        f"{context.experiment.metric_name} of the held-out fold, at 0.5": ["score"],
        "learning rate": ["lr"],
    }

    def figure(chosen: list[int]) -> Picture:
        tables = {
            model: [each[member] for member in context.members(model, chosen)]
            for model, each in histories.items()
        }
        return Picture(figure_uri(learning_curves(tables, panels)))

    return Section(
        "Learning curves",
        "One line a member. The dot is the last epoch, whose weights are taken: an epoch chosen by "
        "the fold that is scored afterwards would make that score better than the network is.",
        figures=[figure(folds)],
        folded=[Folded(f"fold {fold}", [figure([fold])]) for fold in folds if len(folds) > 1],
    )


def _folds(context: StageContext, survey: Survey, fold_table: pd.DataFrame) -> Section:
    colours = class_colours(context.experiment.data.classes).values()
    covers = [any(each) or len(colours) == 1 for each in colours]  # the background is no coverage
    coverage = pd.Series(
        {each.id: sum(itertools.compress(each.shares, covers)) for each in survey.of("train")}
    )
    figure = figure_uri(fold_health(fold_table, coverage))
    return Section("Folds", figures=[Picture(figure, "no group is in two folds")])


def _alignment(context: StageContext, survey: Survey) -> list[Section]:
    if context.experiment.data.reference is None:
        return []
    return [report_alignment.section(context, survey)]


def _choices(ensembled: Ensembled) -> list[Section]:
    """The chosen weights, thresholds and post-processing, beside their competitors."""
    facts = ensembled.facts
    sections = [Section("Thresholds", RULE, Table(*choices.threshold_table(facts)))]
    if "weight_rules" in facts:
        sections.insert(0, Section("Weights", WEIGHTS, Table(*choices.weight_table(facts))))
    if facts["postprocess_tried"]:
        steps = Table(*choices.step_table(facts))
        sections.append(Section("Post-processing", table=steps))
    return sections


def _worths(ensembled: Ensembled) -> Section:
    facts = ensembled.facts
    steps = choices.named_steps(facts["postprocess"])
    text = f"Every score is with the same post-processing: {steps}. {WITHOUT}"
    best = facts["best_single"]
    if best is not None and len(facts["models"]) > 1:
        above = choices.signed_interval(best["blend_above"])
        text += f" Blend − best single model ({best['model']}), nested: {above}."
    table = Table(*choices.worth_table(facts))
    return Section("Contribution of each model to the blend", text, table)
