"""The real data sets from start to submission, against predicting nothing and the frequent class.

    python -m benchmarks.real --data FOLDER [dsb2018 magtile camvid]

Runs `python -m pipeline all` (what is up to date is not done again) and prints each scorecard in
Markdown, with what two constant decisions score by the same metric on the same images.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from pipeline import Run, open_run
from pipeline.data.ground_truth import Truth
from pipeline.metrics import metric_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["dsb2018", "magtile", "camvid"])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    arguments = parser.parse_args()
    for name in arguments.names:
        config, root = Path(f"configs/{name}.yaml"), arguments.data / name
        command = [sys.executable, "-m", "pipeline", "all", "--config", str(config)]
        subprocess.run([*command, "--data", str(root)], check=True, stdout=subprocess.DEVNULL)
        _print(name, open_run(config, data=root, quiet=True))


def _print(name: str, run: Run) -> None:
    print(f"### {name}: {run.experiment.metric_name}\n")
    print(run.workspace.scorecard("md").read_text())
    low, high = run.ensemble()["score"]["interval"]
    print(f"Interval for a test set of this size: {low:.4f} … {high:.4f}.", end=" ")
    nothing, frequent = _baselines(run)
    print(f"Predicting nothing scores {nothing:.5f}, the most frequent class {frequent:.5f}.\n")


def _baselines(run: Run) -> tuple[float, float]:
    """What no class anywhere, and the most frequent class everywhere, score on all images."""
    metric, truths = metric_of(run.experiment.metric), list(run.truths().values())
    frequent = int(np.mean([truth.planes.mean((1, 2)) for truth in truths], axis=0).argmax())

    def score(planes: list[int]) -> float:
        measures = [metric.measure(_constant(truth, planes), truth) for truth in truths]
        return float(metric.aggregate(np.stack(measures)))

    return score([]), score([frequent])


def _constant(truth: Truth, planes: list[int]) -> np.ndarray:
    decision = np.zeros(truth.planes.shape, bool)
    decision[planes] = True
    return decision


if __name__ == "__main__":
    main()
