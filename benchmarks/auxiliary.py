"""What auxiliary outputs cost: of a training step, and of a sample in the loader.

    python -m benchmarks.auxiliary [--rounds 7] [--size 256] [--batch 8]

Steps of LinkNet-18 with bce + dice on one thread, CPU time; with each output and without any, in
turn. A sample is a crop with the default augmentation of a decoded image of 512×512 with 12 discs;
its targets are made besides.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from pipeline.config import AugmentConfig, ModelSpec, TrainConfig
from pipeline.config.losses import Bce, Dice
from pipeline.models.factory import add_outputs, build_model
from pipeline.models.losses import weighted_loss
from pipeline.models.losses.truth import Truth
from pipeline.models.segmentation import Trained
from pipeline.training.augmentation import Augmenter
from pipeline.training.auxiliary.sums import AuxiliaryLosses
from pipeline.training.auxiliary.targets import Aims
from pipeline.training.optimizers import make_optimizer

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "deep_supervision": [{"name": "deep_supervision"}],
    "presence": [{"name": "presence"}],
    "boundary": [{"name": "boundary"}],
    "distance": [{"name": "distance"}],
    "centre": [{"name": "centre"}],
}
TERMS = (Bce(name="bce"), Dice(name="dice"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rounds", 7), ("size", 256), ("batch", 8)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    steps = {name: _Step(outputs, args.batch, args.size) for name, outputs in VARIANTS.items()}
    samples = {name: _Sample(step.aims, args.size) for name, step in steps.items()}
    by_step, by_sample = _in_turn(steps, args.rounds), _in_turn(samples, args.rounds)
    print("| output | ms a step | more | ms for 20 samples | more |\n|---|---|---|---|---|")
    for name in VARIANTS:
        cells = [
            f"{1000 * each[name]:.1f} | {each[name] / each['none'] - 1:+.1%}"
            for each in (by_step, by_sample)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _in_turn(calls: dict[str, Any], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each, measured one after another in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            seconds[name].append(_timed(call))
    return {name: statistics.median(each[1:]) for name, each in seconds.items()}


def _timed(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def _discs(size: int, count: int) -> np.ndarray:
    random, plane = np.random.default_rng(0), np.zeros((size, size), np.uint8)
    for _ in range(count):
        middle = [int(each) for each in random.integers(0, size, 2)]
        cv2.circle(plane, middle, int(random.integers(20, 60)), 1, -1)
    return plane[None]


class _Step:
    """Forward, loss, backward and optimizer of a network with some outputs."""

    def __init__(self, outputs: list[dict[str, Any]], batch: int, size: int) -> None:
        spec = ModelSpec.model_validate(
            {"decoder": "linknet", "encoder": "resnet18", "weights": None, "auxiliary": outputs}
        )
        self.network = build_model(spec, classes=1).train()
        add_outputs(self.network, spec, 1)
        self.optimizer = make_optimizer(self.network, TrainConfig())
        self.aims = Aims(spec.auxiliary, soft=False)
        self.losses = AuxiliaryLosses(spec.auxiliary, torch.device("cpu"))
        self.images = torch.rand(batch, 3, size, size)
        planes = _discs(size, 3)
        made = self.aims.of_truth(planes, np.ones((size, size), np.uint8), None)
        self.targets = {
            label: torch.from_numpy(each)[None].repeat(batch, *[1] * each.ndim)
            for label, each in made.items()
        }
        truth = torch.from_numpy(planes)[None].repeat(batch, 1, 1, 1).float()
        self.truth = Truth(truth, torch.ones_like(truth), multiclass=False)

    def __call__(self) -> None:
        given = self.network(self.images)
        logits = given.logits if isinstance(given, Trained) else given
        assert isinstance(logits, torch.Tensor)
        loss = weighted_loss(TERMS, logits, self.truth)
        if isinstance(given, Trained):
            (shares,) = self.losses.shares([None])  # type: ignore[list-item]
            loss = loss + self.losses.add(
                given.outputs, self.targets, self.truth,
                lambda one, truth: weighted_loss(TERMS, one, truth), shares,
            )  # fmt: skip
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


class _Sample:
    """Crops and their targets, 20 a call."""

    def __init__(self, aims: Aims, size: int) -> None:
        self.aims, self.planes = aims, _discs(512, 12)
        self.image = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
        self.augmenter = Augmenter((size, size), AugmentConfig())

    def __call__(self) -> None:
        for number in range(20):
            crop = self.augmenter(self.image, self.planes, None, [number])
            self.aims.of_truth(crop.planes, crop.valid, crop.objects)


if __name__ == "__main__":
    main()
