"""Members that err like real ones: one smooth truth, each with its own smooth noise."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.data.ground_truth import Truth
from pipeline.ensemble.blending.means import ARITHMETIC
from pipeline.ensemble.search.oof import OofSource


def source(
    seed=0, images=6, members=3, classes=1, size=(24, 30), dtype=np.uint8, void=False,
    multiclass=False, noise=1.0, mean=ARITHMETIC, growth=1.0,
):  # fmt: skip
    """An OofSource; member m's noise grows with m (by `growth`), and image sizes differ."""
    rng = np.random.default_rng(seed)
    maps, truths = {}, {}
    for number in range(images):
        height, width = size[0] + number % 3, size[1] - number % 2
        shape = (classes, height, width)
        field = _smooth(rng, shape) * 6
        planes = field > 0.5
        if multiclass:
            planes = np.arange(classes)[:, None, None] == field.argmax(axis=0)
            planes &= rng.random((height, width)) > 0.02
        valid = rng.random((height, width)) > 0.1 if void else None
        truths[f"image{number}"] = Truth(planes.astype(np.uint8), valid)
        maps[f"image{number}"] = [
            _quantised(field + noise * (1 + growth * m) * _smooth(rng, shape), dtype, multiclass)
            for m in range(members)
        ]
    names = tuple(f"model{m}" for m in range(members))
    return OofSource(names, tuple(maps), maps.__getitem__, truths.__getitem__, mean, multiclass)


def _smooth(rng, shape):
    planes = [cv2.GaussianBlur(rng.normal(size=shape[1:]), (0, 0), 3) * 6 for _ in range(shape[0])]
    return np.stack(planes)


def _quantised(logits, dtype, multiclass):
    if multiclass:
        powers = np.exp(logits - logits.max(axis=0))
        probability = powers / powers.sum(axis=0)
    else:
        probability = 1 / (1 + np.exp(-(logits - 0.5)))
    if np.dtype(dtype) == np.float16:
        return probability.astype(np.float16)
    return np.rint(probability * np.iinfo(dtype).max).astype(dtype)
