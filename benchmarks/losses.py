"""What each loss costs: its CPU time as a share of a training step of LinkNet-18, 256×256, batch 8.

    python -m benchmarks.losses [--rounds 7] [--size 256] [--batch 8] [--classes 1] [--device cpu]

A loss is forward and backward to the logits, with the maps of the truth that it needs, which are
new in each step; a step is the network's forward and backward pass, bce + dice, and the optimizer.
CPU time on one thread, so that what else the machine does matters little (on a GPU wall time, and
what waits for the device counts). Truths: discs of 20 to 60 pixels radius, whose maps take longest,
and the logits are noisy copies of them.
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
from torch import Tensor

from pipeline.config import ModelSpec, TrainConfig
from pipeline.models.factory import build_model
from pipeline.models.losses import LOSSES, weighted_loss
from pipeline.models.losses.truth import Truth
from pipeline.training.optimizers import make_optimizer

VARIANTS: list[dict[str, Any]] = [
    *({"name": name} for name in LOSSES),
    {"name": "bce", "topk": 0.1},
    {"name": "lovasz", "batch": False},
    {"name": "hausdorff", "one_sided": True},
    {"name": "cldice", "iterations": 10},
]


def main() -> None:
    args = _arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    planes = _discs(args.batch, args.classes, args.size)
    logits = 4 * planes - 2 + torch.randn(planes.shape, generator=torch.Generator().manual_seed(0))
    planes, logits = planes.to(args.device), logits.to(args.device)
    step = _timed(_Step(args, planes), args)
    print(f"a step with bce + dice: {1000 * step:.0f} ms\n")
    print("| loss | parameters | ms | share of a step |\n|---|---|---|---|")
    for variant in VARIANTS:
        if variant["name"] == "ce" and args.classes == 1:
            continue
        seconds = _timed(_Loss(variant, logits, planes), args)
        options = ", ".join(f"{key}: {value}" for key, value in variant.items() if key != "name")
        share = seconds / step
        print(f"| {variant['name']} | {options} | {1000 * seconds:.1f} | {share:.1%} |", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rounds", 7), ("size", 256), ("batch", 8), ("classes", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def _discs(batch: int, classes: int, size: int) -> Tensor:
    random = np.random.default_rng(0)
    planes = np.zeros((batch, classes, size, size), np.uint8)
    for plane in planes.reshape(-1, size, size):
        for _ in range(3):
            middle = [int(each) for each in random.integers(0, size, 2)]
            cv2.circle(plane, middle, int(random.integers(20, 60)), 1, -1)
    return torch.from_numpy(planes).float()


class _Loss:
    """One term, forward and backward."""

    def __init__(self, variant: dict[str, Any], logits: Tensor, planes: Tensor) -> None:
        self.terms = TrainConfig.model_validate({"loss": [variant]}).loss or ()
        self.logits, self.planes = logits.clone().requires_grad_(), planes

    def __call__(self) -> None:
        exclusive = self.terms[0].name == "ce"
        truth = Truth(self.planes, torch.ones_like(self.planes[:, :1]), exclusive)
        torch.autograd.grad(weighted_loss(self.terms, self.logits, truth), self.logits)


class _Step:
    """Forward, loss, backward and optimizer of a network."""

    def __init__(self, args: argparse.Namespace, planes: Tensor) -> None:
        spec = ModelSpec(decoder="linknet", encoder="resnet18", weights=None)
        self.network = build_model(spec, classes=args.classes).train().to(args.device)
        self.optimizer = make_optimizer(self.network, TrainConfig())
        self.terms = TrainConfig.model_validate({"loss": ["bce", "dice"]}).loss or ()
        self.images = torch.rand(args.batch, 3, args.size, args.size, device=args.device)
        self.truth = Truth(planes, torch.ones_like(planes[:, :1]), multiclass=False)

    def __call__(self) -> None:
        loss = weighted_loss(self.terms, self.network(self.images), self.truth)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def _timed(call: Callable[[], None], args: argparse.Namespace) -> float:
    """Median seconds of a call: of the CPU, or of the wall where a GPU computes."""
    on_cpu = args.device == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    seconds = []
    for _ in range(args.rounds + 1):
        started = clock()
        call()
        if not on_cpu:
            torch.cuda.synchronize()
        seconds.append(clock() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
