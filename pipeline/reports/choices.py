"""The choices, their competitors, and the contribution of each model: as text and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RULES = {
    "half": "0.5",
    "plateau": "middle of the plateau",
    "searched": "searched",
    "given": "as configured",
}
WORTH_COLUMNS = (
    "model",
    "weight",
    "alone",
    "alone, nested",
    "without it",
    "without it, nested",
    "blend − without, nested",
    "95 % interval",
    "error correlation",
)
Facts = Mapping[str, Any]  # what `ensemble.yaml` says
Rows = list[list[str]]


def named_thresholds(thresholds: Mapping[str, float]) -> str:
    """Which class has which threshold; of a single class just the number."""
    if len(thresholds) == 1:
        return f"{next(iter(thresholds.values())):.2f}"
    shown = {name: f"{value:.2f}" for name, value in thresholds.items()}
    if len(set(shown.values())) == 1:
        return f"{next(iter(shown.values()))} (all classes)"
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def named_steps(steps: Sequence[Mapping[str, Any]]) -> str:
    """The post-processing steps in their order, each with its value."""
    return ", ".join(f"{step['name']} {step['value']:g}" for step in steps) or "none"


def choice_lines(facts: Facts) -> list[str]:
    """A line for the thresholds, for post-processing, and for the best single model."""
    lines = [_threshold_line(facts), _step_line(facts)]
    best = facts["best_single"]
    if best is not None and len(facts["models"]) > 1:
        above = signed_interval(best["blend_above"])
        lines.append(f"blend − best single model ({best['model']}), nested: {above}")
    return lines


def _threshold_line(facts: Facts) -> str:
    rule, rules = facts["threshold_rule"], facts["threshold_rules"]
    line = f"thresholds: {named_thresholds(facts['thresholds'])} ({RULES[rule]})"
    scores = [
        f"{RULES[name]} {each['nested']:.5f}"
        for name, each in rules.items()
        if each["nested"] is not None
    ]
    return f"{line}; nested scores: {', '.join(scores)}" if len(scores) > 1 else line


def _step_line(facts: Facts) -> str:
    kept = {step["name"] for step in facts["postprocess"]}
    dropped = [each for each in facts["postprocess_tried"] if each["name"] not in kept]
    line = f"post-processing: {named_steps(facts['postprocess'])}"
    gains = [f"{each['name']} ({_gain(each)})" for each in dropped]
    return f"{line}; tried and left out: {', '.join(gains)}" if gains else line


def _gain(trial: Mapping[str, Any]) -> str:
    return f"{trial['gain']:+.5f} ± {trial['error']:.5f}"


def threshold_table(facts: Facts) -> tuple[list[str], Rows]:
    """A row a class with its threshold under each rule, and the rules' nested scores."""
    rules, chosen = facts["threshold_rules"], facts["threshold_rule"]
    columns = [RULES[rule] + " ← chosen" * (rule == chosen) for rule in rules]
    rows = [
        [name, *(f"{each['thresholds'][name]:.3f}" for each in rules.values())]
        for name in facts["thresholds"]
    ]
    scores = [_cell(each["nested"]) for each in rules.values()]
    return ["class", *columns], [*rows, ["nested score", *scores]] if any(scores) else rows


def step_table(facts: Facts) -> tuple[list[str], Rows]:
    """A row a post-processing step that was tried."""
    kept = {step["name"] for step in facts["postprocess"]}
    rows = [
        [
            each["name"],
            "none helps" if each["value"] is None else f"{each['value']:g}",
            _gain(each),
            "kept" if each["name"] in kept else "left out",
        ]
        for each in facts["postprocess_tried"]
    ]
    return ["post-processing", "best value", "gain, nested ± standard error", ""], rows


def worth_table(facts: Facts) -> tuple[list[str], Rows]:
    """A row a model: by itself, the blend without it, and what difference it makes."""
    rows = [
        [
            name,
            f"{each['weight']:.3f}",
            _cell(each["tuned"]),
            _cell(each["nested"]),
            _cell(each["without"]["tuned"]),
            _cell(each["without"]["nested"]),
            "" if each["worth"] is None else f"{each['worth']['value']:+.5f}",
            "" if each["worth"] is None else _interval(each["worth"]),
            f"{each['error_correlation']:.3f}",
        ]
        for name, each in facts["models"].items()
    ]
    return list(WORTH_COLUMNS), rows


def signed_interval(difference: Mapping[str, Any]) -> str:
    """A difference of scores and where it lies."""
    return f"{difference['value']:+.5f} ({_interval(difference)})"


def _interval(difference: Mapping[str, Any]) -> str:
    low, high = difference["interval"]
    return f"{low:+.4f} … {high:+.4f}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
