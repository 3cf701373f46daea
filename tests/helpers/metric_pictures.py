"""Random truths and decisions for the tests of metrics, and the four counts taken one by one."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.data.ground_truth import Truth

Case = tuple[NDArray[np.bool_], Truth]


def case(
    generator: np.random.Generator,
    size: tuple[int, int, int],
    *,
    void: bool,
    instances: bool = False,
) -> Case:
    """A decision CHW that resembles its truth; some planes of either are empty or full."""
    true = np.stack([plane(generator, size[1:]) for _ in range(size[0])])
    redrawn = np.stack([plane(generator, size[1:]) for _ in range(size[0])])
    kept = generator.random(size) < generator.choice([0.0, 0.7, 0.95, 1.0])
    decision = np.where(kept, true, redrawn)
    valid = generator.random(size[1:]) < generator.choice([0.0, 0.8, 1.0]) if void else None
    numbered = np.stack([cv2.connectedComponents(p.astype(np.uint8))[1] for p in true])
    return decision, Truth(true.astype(np.uint8), valid, numbered if instances else None)


def plane(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Blobs of some coverage, often none or all."""
    kind = generator.integers(4)
    if kind < 2:
        return np.full(size, kind == 1)
    rough = cv2.GaussianBlur(generator.normal(size=size), (0, 0), 1.2)
    return rough > np.quantile(rough, generator.choice([0.3, 0.6, 0.95]))


@st.composite
def batches(draw: st.DrawFn, instances: bool = False, most_classes: int = 3) -> list[Case]:
    """One to five images of one class count and of different sizes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, void = draw(st.integers(1, most_classes)), draw(st.booleans())
    sizes = draw(
        st.lists(st.tuples(st.integers(1, 18), st.integers(1, 18)), min_size=1, max_size=5)
    )
    return [case(generator, (classes, *s), void=void, instances=instances) for s in sizes]


def slow_counts(decision: NDArray[np.bool_], truth: Truth) -> list[list[int]]:
    """tp, fp, fn, tn of each class, a pixel at a time."""
    table = []
    for decided, true in zip(decision, truth.planes, strict=True):
        row = [0, 0, 0, 0]
        for place in np.ndindex(*truth.size):
            if truth.valid is None or truth.valid[place]:
                row[2 * (1 - decided[place]) + (decided[place] != true[place]) * 1] += 1
        right_inside, wrong_inside, right_outside, wrong_outside = row
        table.append([right_inside, wrong_inside, wrong_outside, right_outside])
    return table
