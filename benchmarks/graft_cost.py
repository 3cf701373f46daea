"""What a graft costs: forward and backward of a model of ours against the same one of SMP.

    python -m benchmarks.graft_cost [--rounds 30] [--size 256]

Both models hold the same weights and take turns in one process; CPU time on one thread, so that
what else the machine does matters little; the median of the rounds' ratios is what counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from pipeline.config import ModelSpec
from pipeline.models.factory import build_model
from pipeline.models.whole_checkpoint import from_smp

PAIRS: tuple[tuple[str, str, str, Callable[..., nn.Module]], ...] = (
    ("unet", "resnet18", "resnet18", smp.Unet),
    ("unet", "resnet34", "resnet34", smp.Unet),
    ("unet", "vgg11_bn", "vgg11_bn", smp.Unet),
    ("unetplusplus", "resnet18", "resnet18", smp.UnetPlusPlus),
    ("unet", "tf_efficientnet_lite0", "tu-tf_efficientnet_lite0", smp.Unet),
)


def step_seconds(model: nn.Module, images: Tensor) -> float:
    """CPU seconds of one forward and backward pass."""
    started = time.process_time()
    model(images).square().mean().backward()
    return time.process_time() - started


def cost(
    decoder: str, ours: str, theirs: str, make: Callable[..., nn.Module], args: argparse.Namespace
) -> tuple[float, float, float]:
    """Median seconds of ours, of theirs, and the median ratio."""
    their_model = make(theirs, encoder_weights=None, classes=1).train()
    our_model = build_model(
        ModelSpec(decoder=decoder, encoder=ours, weights=None), classes=1
    ).train()
    our_model.load_state_dict(from_smp(their_model.state_dict()))
    images = torch.rand(2, 3, args.size, args.size)
    pairs = []
    for round_number in range(args.rounds + 2):
        models = (our_model, their_model)
        order = (0, 1) if round_number % 2 else (1, 0)
        seconds = {which: step_seconds(models[which], images) for which in order}
        pairs.append((seconds[0], seconds[1]))
    warm = pairs[2:]
    ratio = statistics.median(mine / other for mine, other in warm)
    return statistics.median(p[0] for p in warm), statistics.median(p[1] for p in warm), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| decoder | encoder | ours, s | SMP, s | ours / SMP |\n|---|---|---|---|---|")
    for decoder, ours, theirs, make in PAIRS:
        mine, other, ratio = cost(decoder, ours, theirs, make, args)
        print(f"| {decoder} | {ours} | {mine:.3f} | {other:.3f} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    main()
