"""How often the scorecard's interval holds the private score, over many drawn competitions.

    python -m benchmarks.coverage [--seeds 40] [--jobs 1] [--folder runs/coverage]

Every seed draws other cars and trains a small FPN and a small LinkNet from random weights, at half
size, on two folds; what is done is kept in the folder, so a stopped run goes on. With every
`result.json` there removed, all is chosen and scored anew, and nothing trained. *Bonus* is what the
private score gains because test maps average the folds' members: the blend's score with both folds'
members, less the mean score with one fold's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from pipeline import open_run
from pipeline.data.ground_truth import Truth
from pipeline.data.images import read_bytes
from pipeline.data.masks.one_class import decode_inside
from pipeline.demo import private_masks
from pipeline.demo.turntable.competition import draw_turntable
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.recipe import Recipe
from pipeline.maps import MapStore
from pipeline.metrics import get_metric
from pipeline.stages import ensemble, infer

REPOSITORY = Path(__file__).parents[1]
CONFIG = f"""
extends: {REPOSITORY / "configs" / "demo.yaml"}
name: coverage
models:
  linknet_lite: null
  unet_lite: null
  fpn_lite: null
  fpn: {{decoder: fpn, encoder: test_resnet, weights: null}}
  linknet: {{decoder: linknet, encoder: test_resnet, weights: null}}
input: {{resize: 0.5}}
train: {{epochs: 2, steps: 70, size: [64, 96], lr: 5e-3, workers: 0}}
infer: {{tta: [identity]}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time")
    parser.add_argument("--folder", type=Path, default=Path("runs/coverage"))
    parser.add_argument("--child", type=int)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(one_seed(arguments.child)))
        return
    folders = [arguments.folder.resolve() / str(seed) for seed in range(arguments.seeds)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        report(list(pool.map(_in_process, range(arguments.seeds), folders)))


def _in_process(seed: int, folder: Path) -> dict[str, float]:
    """One seed's figures, from its folder or a process of its own."""
    kept = folder / "result.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.coverage", "--child", str(seed)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        output = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        kept.write_text(output.stdout.splitlines()[-1])
    found: dict[str, float] = json.loads(kept.read_text())
    return found


def one_seed(seed: int) -> dict[str, float]:
    """Draw, train, blend and score in the current folder."""
    if not Path("data/demo").exists():
        draw_turntable(Path("data/demo"), seed=seed)
    Path("coverage.yaml").write_text(CONFIG)
    context = open_run("coverage.yaml", jobs=1, quiet=True).context()
    chosen = ensemble.run(context)
    score = chosen.facts["score"]
    both = _private(chosen.recipe, infer.run(context).test)
    alone = [_private(chosen.recipe, _test_maps_of(fold)) for fold in (0, 1)]
    low, high = score["interval"]
    return {
        "tuned": score["tuned"],
        "nested": score["nested"],
        "low": low,
        "high": high,
        "private": both,
        "bonus": both - mean(alone),
    }


def _test_maps_of(fold: int) -> dict[str, MapStore]:
    run = open_run("coverage.yaml", f"folds.use=[{fold}]", jobs=1, quiet=True)
    return infer.run(run.context()).test


def _private(recipe: Recipe, stores: dict[str, MapStore]) -> float:
    """The mean Dice of the recipe's decisions on the hidden masks."""
    metric, read, measures = get_metric("dice"), reader_of(stores), []
    for sample_id, path in private_masks(Path("data/demo")).items():
        inside = decode_inside(read_bytes(path), path)
        truth = Truth(inside[None].view(np.uint8))
        measures.append(metric.measure(recipe.decide(read(sample_id)), truth))
    return float(metric.aggregate(np.stack(measures)))


def report(rows: list[dict[str, float]]) -> None:
    """The table of RESULTS.md."""
    print("| seed | tuned | nested | interval | private | inside | bonus |")
    print("|---|---|---|---|---|---|---|")
    for seed, row in enumerate(rows):
        inside = "yes" if row["low"] <= row["private"] <= row["high"] else "**no**"
        print(
            f"| {seed} | {row['tuned']:.5f} | {row['nested']:.5f} | {row['low']:.4f} … "
            f"{row['high']:.4f} | {row['private']:.5f} | {inside} | {row['bonus']:+.5f} |"
        )
    held = sum(row["low"] <= row["private"] <= row["high"] for row in rows)
    print(f"\n{held} of {len(rows)} intervals hold the private score.")
    for name in ("tuned", "nested"):
        print(f"{name} − private: {_spread([row[name] - row['private'] for row in rows])}")
    print(f"bonus of averaging the folds: {_spread([row['bonus'] for row in rows])}")
    without = [row["nested"] - (row["private"] - row["bonus"]) for row in rows]
    print(f"nested − private without the bonus: {_spread(without)}")


def _spread(values: list[float]) -> str:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{mean(values):+.5f} ± {error:.5f}"


if __name__ == "__main__":
    main()
