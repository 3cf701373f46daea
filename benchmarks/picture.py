"""The README's picture: demo photographs, and the blend's decisions painted on them.

make && python -m benchmarks.picture
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import open_run
from pipeline.reports.overlay import overlay

COLUMNS, GAP = 5, 6


def main() -> None:
    run = open_run("configs/demo.yaml", quiet=True)
    images, truths, masks = run.images(), run.truths(), run.oof_masks()
    columns = []
    for id in islice(images, 0, COLUMNS * (len(images) // COLUMNS), len(images) // COLUMNS):
        pair = [images[id], overlay(images[id], truths[id], masks[id])]
        columns.append(np.concatenate([_framed(each) for each in pair], axis=0))
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    Path("docs").mkdir(exist_ok=True)
    picture.save("docs/demo.jpg", quality=90)


def _framed(image: np.ndarray) -> np.ndarray:
    return np.pad(image, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
