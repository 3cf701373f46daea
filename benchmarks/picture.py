"""The README's picture: demo photographs, and the blend's decisions painted on them.

make && python -m benchmarks.picture
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config import load_experiment
from pipeline.reporting import SilentReporter
from pipeline.reports.overlay import overlay
from pipeline.stages import align, check, ensemble, infer
from pipeline.stages.context import StageContext
from pipeline.workspace import Workspace

COLUMNS, GAP = 5, 6


def main() -> None:
    experiment = load_experiment(Path("configs/demo.yaml"))
    context = StageContext(experiment, Workspace(experiment.name), SilentReporter())
    survey, inferred = check.run(context), infer.run(context)
    recipe, reader = ensemble.run(context).recipe, align.run(context)
    samples = survey.catalog.train[:: len(survey.catalog.train) // COLUMNS][:COLUMNS]
    columns = []
    for sample in samples:
        image = reader.image(sample)
        maps = [store.read_raw(sample.id) for store in inferred.oof.values()]
        truth = reader.truth(sample, (image.shape[0], image.shape[1]))
        pair = [image, overlay(image, truth, recipe.decide(maps))]
        columns.append(np.concatenate([_framed(each) for each in pair], axis=0))
    picture = Image.fromarray(np.concatenate(columns, axis=1))
    Path("docs").mkdir(exist_ok=True)
    picture.save("docs/demo.jpg", quality=90)


def _framed(image: np.ndarray) -> np.ndarray:
    return np.pad(image, ((GAP, 0), (GAP, 0), (0, 0)), constant_values=255)


if __name__ == "__main__":
    main()
