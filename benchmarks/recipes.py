"""Recipes of training against a straightforward script, on real data, at equal samples.

    python -m benchmarks.recipes --data FOLDER [--sets dsb2018 …] [--recipes peer default …]
                                 [--samples 800] [--seeds 1] [--jobs 1] [--folder runs/recipes]

Every recipe trains the same U-Net on tf_efficientnet_lite0, from the same weights, on two folds,
at half size, with as many samples a fold, so that training costs the same CPU time to a few per
cent; what each took is printed. *peer* is what one writes first: random crops and flips, Adam at
1e-3, BCE + Dice, the last weights, one view, threshold 0.5. What is done is kept in the folder, a
JSON file a result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline import Run, open_run
from pipeline.config import ModelConfig
from pipeline.config.recipes import RECIPES as SHIPPED
from pipeline.data.ground_truth import Truth
from pipeline.metrics import metric_of
from pipeline.models.factory import build_model

REPOSITORY = Path(__file__).parents[1]
ENCODER, BATCH, EPOCHS, RESIZE = "tf_efficientnet_lite0", 8, 5, 0.5
PEER_RATE = 1e-3

Overrides = dict[str, Any]


def _one_class(name: str, images: str, masks: str, **data: Any) -> Overrides:
    """A set of one class without an upside; masks of several values have defects of any kind."""
    return {
        "data": {"images": images, "masks": masks, "classes": [name], **data},
        "metric": "dice",
        "train": {"size": [128, 128], "augment": {"flips": ["horizontal", "vertical"]}},
    }


_TILES = ("defect", "train/{id}.jpg", "train_masks/{id}.png")
_GROUPS = {"csv": "groups.csv"}
_STAGE1 = "stage1_train/{id}"
SETS: dict[str, Overrides] = {
    "dsb2018": _one_class("nucleus", f"{_STAGE1}/images/{{id}}.png", f"{_STAGE1}/masks/*.png"),
    "magtile": _one_class(*_TILES, group=_GROUPS),
    "deeppcb": _one_class(*_TILES, group=_GROUPS),
    "camvid": {
        "data": {
            "images": "train/{id}.png",
            "masks": "train_masks/{id}.png",
            "group": _GROUPS,
            "classes": {
                "sky": 0, "building": 1, "pole": 2, "road": 3, "pavement": 4, "tree": 5,
                "sign": 6, "fence": 7, "car": 8, "pedestrian": 9, "bicyclist": 10,
            },
            "multiclass": True,
            "void": 255,
        },
        "metric": "mean_iou",
        "submission": {"rows": "class", "key": "{id}_{class}"},
        "train": {"size": [128, 128]},
    },
}  # fmt: skip

RECIPES: dict[str, Overrides] = {
    "default": {},
    "standard": {
        key: each for key, each in SHIPPED["standard"]["train"].items() if key != "length"
    },
    "lr_1e-3": {"lr": 1e-3},
    "lr_2e-3": {"lr": 2e-3},
    "lr_4e-3": {"lr": 4e-3},
    "foreground": {"lr": 4e-3, "sample": {"foreground": 0.33}},
    "encoder_slow": {"lr": 4e-3, "encoder_lr": 0.3},
    "medium": {"lr": 4e-3, "augment": {"preset": "medium"}},
    "onecycle": {"lr": 4e-3, "schedule": "onecycle"},
}
"""What each sets of `train`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--recipes", nargs="+", default=["peer", *RECIPES])
    parser.add_argument("--samples", type=int, default=480, help="of the training of a fold")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--folder", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--child", nargs=3, metavar=("SET", "RECIPE", "SEED"))
    given = parser.parse_args()
    if given.child is not None:
        print(json.dumps(_result(given.data, given.samples, *given.child)))
        return
    tasks = [
        (name, recipe, seed)
        for seed in range(given.seeds)
        for name in given.sets
        for recipe in given.recipes
    ]
    with ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(lambda task: _in_process(given, *task), tasks))
    _print(given.sets, given.recipes, dict(zip(tasks, results, strict=True)), given.seeds)


def _in_process(given: argparse.Namespace, name: str, recipe: str, seed: int) -> dict[str, float]:
    """The result from its file, or from a process of its own."""
    folder = given.folder.resolve() / f"{name}-{recipe}-{seed}-{given.samples}"
    kept = folder / "result.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "benchmarks.recipes", "--data", given.data.resolve()]
        child = ["--samples", str(given.samples), "--child", name, recipe, str(seed)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        output = subprocess.run(
            [*command, *child], cwd=folder, env=environment, stdout=subprocess.PIPE, check=True
        )
        kept.write_bytes(output.stdout.splitlines()[-1])
    found: dict[str, float] = json.loads(kept.read_text())
    return found


def _result(data: Path, samples: int, name: str, recipe: str, seed: str) -> dict[str, float]:
    torch.set_num_threads(1)
    run = _run_of(
        name, data / name, {} if recipe == "peer" else RECIPES[recipe], int(seed), samples
    )
    run.folds()
    if recipe == "peer":
        return _peer(run, int(seed), samples)
    started = _cpu()
    run.train()
    trained = _cpu()
    score = run.ensemble()["score"]
    return {"score": score["nested"], "tuned": score["tuned"], "train_cpu": trained - started}


def _run_of(name: str, root: Path, recipe: Overrides, seed: int, samples: int) -> Run:
    chosen = SETS[name]
    augment = {**chosen["train"].get("augment", {}), **recipe.get("augment", {})}
    train = {
        "batch": BATCH, "epochs": EPOCHS, "steps": samples // BATCH // EPOCHS, "workers": 0,
        "seed": seed, **chosen["train"], **recipe, "augment": augment,
    }  # fmt: skip
    experiment = {
        "name": "recipe",
        **{key: value for key, value in chosen.items() if key not in ("data", "train")},
        "data": {"root": str(root), **chosen["data"]},
        "input": {"resize": RESIZE},
        "folds": {"count": 2, "seed": 2017},
        "models": {"unet": {"decoder": "unet", "encoder": ENCODER}},
        "train": train,
    }
    return open_run(experiment, jobs=1, quiet=True)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peer(run: Run, seed: int, samples: int) -> dict[str, float]:
    """Train and score a network a fold as one would in a notebook."""
    images, truths, folds = run.images(), run.truths(), run.folds()
    metric, multiclass = metric_of(run.experiment.metric), run.experiment.data.multiclass
    height, width = run.experiment.train.size
    measures, spent = [], 0.0
    for fold in (0, 1):
        own = folds.loc[folds["fold"] != fold, "id"].tolist()
        started = _cpu()
        torch.manual_seed(seed)
        spec = ModelConfig(decoder="unet", encoder=ENCODER).architecture
        classes = next(iter(truths.values())).planes.shape[0]
        network = build_model(spec, classes=classes)
        optimizer = torch.optim.Adam(network.parameters(), lr=PEER_RATE)
        random = np.random.default_rng(seed)
        kept = {each: _scaled(images[each], truths[each]) for each in own}
        for ids in _batches(own, random, samples):
            crops = [_crop(*kept[each], (height, width), random, not multiclass) for each in ids]
            pixels, planes, valid = (torch.stack(each) for each in zip(*crops, strict=True))
            loss = _loss(network(pixels), planes, valid, multiclass)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        spent += _cpu() - started
        network.eval()
        for each in folds.loc[folds["fold"] == fold, "id"]:
            decision = _decision(network, images[each], multiclass)
            measures.append(metric.measure(decision, truths[each]))
    return {"score": float(metric.aggregate(np.stack(measures))), "train_cpu": spent}


def _batches(ids: list[str], random: np.random.Generator, samples: int) -> Iterator[list[str]]:
    order: list[str] = []
    for _ in range(samples // BATCH):
        while len(order) < BATCH:
            order += [ids[n] for n in random.permutation(len(ids))]
        yield order[:BATCH]
        order = order[BATCH:]


def _scaled(image: np.ndarray, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
    """CHW pixels, planes and validity as float32."""
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()
    planes = torch.from_numpy(truth.planes.copy()).float()
    valid = torch.ones(1, *planes.shape[1:])
    if truth.valid is not None:
        valid = torch.from_numpy(truth.valid.copy()).float()[None]
    pixels = F.interpolate(pixels[None], scale_factor=RESIZE, mode="bilinear")[0]
    planes, valid = (
        F.interpolate(each[None], scale_factor=RESIZE, mode="nearest")[0]
        for each in (planes, valid)
    )
    return pixels, planes, valid


def _crop(
    pixels: Tensor, planes: Tensor, valid: Tensor, size: tuple[int, int],
    random: np.random.Generator, vertical: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """One random crop, padded with zeros that do not count, flipped."""
    below, right = (max(0, s - have) for s, have in zip(size, pixels.shape[1:], strict=True))
    parts = [F.pad(each, (0, right, 0, below)) for each in (pixels, planes, valid)]
    top, left = (
        int(random.integers(0, have - s + 1))
        for s, have in zip(size, parts[0].shape[1:], strict=True)
    )
    parts = [each[:, top : top + size[0], left : left + size[1]] for each in parts]
    axes = [axis for axis, wanted in ((2, True), (1, vertical)) if wanted and random.random() < 0.5]
    pixels, planes, valid = (each.flip(axes) for each in parts)
    return pixels, planes, valid


def _loss(logits: Tensor, planes: Tensor, valid: Tensor, multiclass: bool) -> Tensor:
    if multiclass:
        probability = logits.softmax(1) * valid
        entropy = -(logits.log_softmax(1) * planes).sum(1, keepdim=True)
    else:
        probability = logits.sigmoid() * valid
        entropy = F.binary_cross_entropy_with_logits(logits, planes, reduction="none")
    planes = planes * valid
    overlap = (probability * planes).sum((0, 2, 3))
    total = (probability + planes).sum((0, 2, 3))
    dice = (1 - (2 * overlap + 1) / (total + 1)).mean()
    return (entropy * valid).sum() / valid.expand_as(entropy).sum() + dice


@torch.no_grad()
def _decision(network: torch.nn.Module, image: np.ndarray, multiclass: bool) -> np.ndarray:
    """Bool CHW at 0.5, or of the most probable class."""
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()[None]
    height, width = pixels.shape[2:]
    pixels = F.interpolate(pixels, scale_factor=RESIZE, mode="bilinear")
    low, wide = pixels.shape[2:]
    padded = F.pad(pixels, (0, -wide % 32, 0, -low % 32))
    logits = network(padded)[:, :, :low, :wide]
    logits = F.interpolate(logits, size=(height, width), mode="bilinear")
    if multiclass:
        winner = logits.argmax(1)
        return (winner[0] == torch.arange(logits.shape[1])[:, None, None]).numpy()
    return (logits[0] > 0).numpy()


def _print(
    sets: Sequence[str], recipes: Sequence[str],
    results: dict[tuple[str, str, int], dict[str, float]], seeds: int,
) -> None:  # fmt: skip
    """The table of RESULTS.md: the nested score, and CPU seconds of training."""
    print(f"| recipe | {' | '.join(sets)} | CPU s |")
    print("|---" * (len(sets) + 2) + "|")
    for recipe in recipes:
        scores, seconds = [], []
        for name in sets:
            found = [results[name, recipe, seed] for seed in range(seeds)]
            scores.append(" / ".join(f"{each['score']:.4f}" for each in found))
            seconds += [each["train_cpu"] for each in found]
        print(f"| {recipe} | {' | '.join(scores)} | {mean(seconds):.0f} |")


if __name__ == "__main__":
    main()
