"""The registry of post-processing steps, and how a list of them is applied.

A step is one file beside this one and one line here.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.outputs import Outputs
from pipeline.ensemble.postprocessing import (
    dense_crf,
    fill_holes,
    gate,
    grabcut,
    graph_cut,
    guided_filter,
    hysteresis,
    keep_largest,
    minimum_area,
    watershed,
)
from pipeline.ensemble.postprocessing.entries import BY, read_step
from pipeline.ensemble.postprocessing.step import ChosenStep, Refinement, Step, refining
from pipeline.ensemble.postprocessing.view import View, likelihood
from pipeline.errors import DataError

__all__ = ["STEPS", "ChosenStep", "Step", "apply_steps", "get_step"]

BOUNDARY = "boundary"

STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        Step("minimum_area", minimum_area.minimum_area, minimum_area.CANDIDATES),
        Step("fill_holes", fill_holes.fill_holes, fill_holes.CANDIDATES),
        Step("keep_largest", keep_largest.keep_largest, keep_largest.CANDIDATES),
        Step("hysteresis", hysteresis.hysteresis, hysteresis.CANDIDATES),
        Step("gate", gate.gate, gate.CANDIDATES, {"presence": gate.BY_PRESENCE}),
        Step(
            "watershed",
            watershed.watershed,
            watershed.CANDIDATES,
            dict.fromkeys(("centre", "distance", "boundary"), watershed.BY_OUTPUT),
        ),
        refining("guided_filter", guided_filter.guided_filter, **guided_filter.TRIED),
        refining("dense_crf", dense_crf.dense_crf, **dense_crf.TRIED),
        refining("grabcut", grabcut.grabcut, **grabcut.TRIED),
        refining("graph_cut", graph_cut.graph_cut, **graph_cut.TRIED, extra=graph_cut.EXTRA),
    )
}


def get_step(item: object) -> Step:
    """The step that an entry of `ensemble.postprocess` names, with what it says to try.

    item: a name, or a mapping, see `entries.read_step`. Raises ConfigError, also where the step
    needs a package that is not installed.
    """
    step = read_step(item, STEPS)
    step.require_package()
    return step


def apply_steps(
    decision: NDArray[np.bool_],
    probability: NDArray[np.float32],
    steps: Sequence[ChosenStep],
    outputs: Outputs = MappingProxyType({}),
    view: View | None = None,
) -> NDArray[np.bool_]:
    """The decision, bool CHW, after the steps in their order; probability: float32 CHW.

    view: for steps that look at the image, which is read when the first of them asks for it.
    DataError where there is none, or its size is not that of the decision.
    """
    for chosen in steps:
        name, _, by = chosen.name.partition(BY)
        step = STEPS[name]
        if step.refine is not None:
            decision = _refined(decision, probability, chosen, step.refine, view)
            continue
        assert step.function is not None
        seen = outputs[by] if by else probability
        if by == BOUNDARY:  # high in the middle of objects, as the others are
            seen = 1 - seen
        decision = step.function(decision, seen, chosen.value)
    return decision


def _refined(
    decision: NDArray[np.bool_],
    probability: NDArray[np.float32],
    chosen: ChosenStep,
    refine: Refinement,
    view: View | None,
) -> NDArray[np.bool_]:
    if view is None:
        raise DataError(
            f"ensemble.postprocess: {chosen.name} looks at the image, and there is only its map; "
            "decide where the images are, or leave that step out"
        )
    picture = view.picture()
    if picture.shape[:2] != decision.shape[1:]:
        raise DataError(
            f"ensemble.postprocess: {chosen.name}: the image is {picture.shape[:2]} and its map "
            f"{decision.shape[1:]} (height, width); run infer again"
        )
    likely = likelihood(decision, probability, view.thresholds)
    return refine(likely, picture, chosen.value, **dict(chosen.settings))
