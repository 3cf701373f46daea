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
WEIGHT_RULES = {
    "equal": "equal",
    "quarter": "1/4 of the way from equal to searched",
    "halfway": "1/2 of the way",
    "three_quarters": "3/4 of the way",
    "searched": "searched",
    "single": "best model alone",
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
    return ", ".join(f"{step['name']} {_numbers(step)}" for step in steps) or "none"


def _numbers(step: Mapping[str, Any]) -> str:
    """A step's value, and its settings."""
    settings = ", ".join(f"{name} {each:g}" for name, each in step.get("settings", {}).items())
    return f"{step['value']:g}" + (f" ({settings})" if settings else "")


def choice_lines(facts: Facts) -> list[str]:
    """A line for each of weights (where several competed), thresholds, post-processing, and the
    best single model.
    """
    lines = [_threshold_line(facts), _step_line(facts)]
    if "weight_rule" in facts:
        lines.insert(0, _weight_line(facts))
    best = facts["best_single"]
    if best is not None and len(facts["models"]) > 1:
        above = signed_interval(best["blend_above"])
        lines.append(f"blend − best single model ({best['model']}), nested: {above}")
    return lines


def _weight_line(facts: Facts) -> str:
    line = f"weights: {WEIGHT_RULES[facts['weight_rule']]}"
    return f"{line}{_rivals(WEIGHT_RULES, facts['weight_rules'])}"


def _threshold_line(facts: Facts) -> str:
    rule = facts["threshold_rule"]
    line = f"thresholds: {named_thresholds(facts['thresholds'])} ({RULES[rule]})"
    return f"{line}{_rivals(RULES, facts['threshold_rules'])}"


def _rivals(names: Mapping[str, str], rules: Mapping[str, Mapping[str, Any]]) -> str:
    """The nested scores of rules that competed."""
    scores = [
        f"{names[name]} {each['nested']:.5f}"
        for name, each in rules.items()
        if each["nested"] is not None
    ]
    return f"; nested scores: {', '.join(scores)}" if len(scores) > 1 else ""


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
    return _rule_table("threshold", "class", RULES, facts)


def weight_table(facts: Facts) -> tuple[list[str], Rows]:
    """A row a model with its weight under each rule, and the rules' nested scores."""
    return _rule_table("weight", "model", WEIGHT_RULES, facts)


def _rule_table(
    what: str, row: str, names: Mapping[str, str], facts: Facts
) -> tuple[list[str], Rows]:
    rules, chosen = facts[f"{what}_rules"], facts[f"{what}_rule"]
    columns = [names[rule] + " ← chosen" * (rule == chosen) for rule in rules]
    rows = [
        [name, *(f"{each[f'{what}s'][name]:.3f}" for each in rules.values())]
        for name in facts[f"{what}s"]
    ]
    scores = [_cell(each["nested"]) for each in rules.values()]
    return [row, *columns], [*rows, ["nested score", *scores]] if any(scores) else rows


def step_table(facts: Facts) -> tuple[list[str], Rows]:
    """A row a post-processing step that was tried."""
    kept = {step["name"] for step in facts["postprocess"]}
    rows = [
        [
            each["name"],
            "none helps" if each["value"] is None else _numbers(each),
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
