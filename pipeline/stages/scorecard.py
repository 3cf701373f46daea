"""scorecard: the scores of every model and the blend, as table, file and page."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.atomic_files import write_atomic
from pipeline.data.inspection import PARTS
from pipeline.demo import private_masks
from pipeline.manifests import fingerprint, is_fresh, write_manifest
from pipeline.reports.choices import choice_lines, worth_table
from pipeline.reports.scorecard import scorecard_markdown, scorecard_table
from pipeline.stages import align, check, ensemble, folds, infer, submit
from pipeline.stages.context import StageContext, once
from pipeline.stages.leaderboard import recorded
from pipeline.stages.parts import report, report_bands, report_cases
from pipeline.submission.private_score import private_score


@once
def run(context: StageContext) -> pd.DataFrame:
    """The scorecard; the page is drawn again when anything that it shows has changed."""
    survey, inferred = check.run(context), infer.run(context)
    ensembled = ensemble.run(context)
    submission = submit.run(context) if survey.of("test") else None
    started = time.monotonic()
    workspace = context.workspace
    leaderboard = recorded(submission, context.reporter.warn) if submission else None
    hidden = _hidden_score(context, submission)
    table = scorecard_table(context.experiment, ensembled.facts, leaderboard, hidden)
    test_maps = report_cases.test_maps(context, survey, inferred)
    made_from = fingerprint(
        "scorecard/4",
        ensembled.fingerprint,
        leaderboard,
        hidden,
        context.experiment.model_copy(update={"track": ()}),
        test_maps.content if test_maps else None,
        [align.fingerprint_of(context, part) for part in PARTS],
        *([report_bands.VERSION] if context.experiment.data.bands is not None else []),
    )
    fresh = is_fresh(workspace.report_manifest, made_from)
    if not fresh:
        with context.exclusive("scorecard"):
            write_atomic(workspace.scorecard("csv"), table.to_csv(index=False))
            write_atomic(workspace.scorecard("md"), scorecard_markdown(table, ensembled.facts))
            page = report.render(
                context, survey, folds.run(context), inferred, ensembled, table, test_maps
            )
            write_atomic(workspace.report, page)
            made = [workspace.scorecard("csv"), workspace.scorecard("md"), workspace.report]
            write_manifest(workspace.report_manifest, made_from, made)
    if not fresh or context.asked in ("scorecard", "all"):
        _show(context, table, ensembled.facts, hidden)
    if fresh:
        context.up_to_date("scorecard", workspace.report)
    else:
        context.done("scorecard", "table and page", workspace.report, started)
    if context.asked == "all":
        _say_what_next(context, submission)
    return table


def _hidden_score(context: StageContext, submission: Path | None) -> float | None:
    """The score of the submission against the demo's hidden test masks."""
    if context.experiment.demo is None or submission is None:
        return None
    return private_score(
        submission, private_masks(context.experiment.data.root), context.experiment
    )


def _show(
    context: StageContext, table: pd.DataFrame, facts: dict[str, Any], hidden: float | None
) -> None:
    rows = [[str(cell) for cell in row] for row in table.fillna("").to_numpy().tolist()]
    metric = context.experiment.metric_name
    context.reporter.table(
        f"scorecard of {context.experiment.name}: {metric}", table.columns.tolist(), rows
    )
    for line in choice_lines(facts):
        context.reporter.say(line)
    if len(facts["models"]) > 1:
        context.reporter.table("contribution of each model to the blend", *worth_table(facts))
    score = facts["score"]
    low, high = score["interval"]
    count = score["interval_groups"]
    around = " around the tuned score" if score["nested"] is None else ""
    context.reporter.say(
        f"a test set of {count} group{'s' * (count != 1)} should score {low:.4f} … {high:.4f} "
        f"({score['interval_level']:.0%} interval{around})"
    )
    if score["gap"] is not None:
        context.reporter.say(
            f"tuned − nested = {score['gap']:+.5f}: the tuned score is optimistic by this much"
        )
    better = _better_alone(facts)
    if better:
        context.reporter.say(
            f"better than the blend in nested score: {', '.join(better)}; the blend's choices "
            "transfer less well to other folds (SET='models.<name>=null' leaves a model out)"
        )
    if hidden is not None:
        context.reporter.say(f"hidden test masks of the demo: {metric} {hidden:.5f}")


def _better_alone(facts: dict[str, Any]) -> list[str]:
    """The models whose own nested score is above the blend's."""
    blend = facts["score"]["nested"]
    if blend is None:
        return []
    nested = {name: model["nested"] for name, model in facts["models"].items()}
    return [f"{name} {score:.5f}" for name, score in nested.items() if score > blend]


def _say_what_next(context: StageContext, submission: Path | None) -> None:
    workspace = context.workspace
    made = [
        workspace.fold_table,
        workspace.run,
        workspace.report,
        *([submission] if submission else []),
    ]
    context.reporter.say("made: " + ", ".join(map(str, made)))
    if context.experiment.demo:
        context.reporter.say(
            "your own data: copy configs/own.yaml, then make CONFIG=configs/<yours>.yaml"
        )
