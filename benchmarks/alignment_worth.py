"""What a reference is worth, and what aligning it is worth: the same network, budget and folds.

    python -m benchmarks.alignment_worth                                    # the reference demo
    python -m benchmarks.alignment_worth --data /where/deeppcb/is      # or deeppcb_ecc
    python -m benchmarks.alignment_worth --encoder vgg11_bn --lr 2e-3       # the plain VGG U-Net

A U-Net from random weights sees the image alone, the image and the reference laid middle on
middle, and the image and the aligned reference, in each of --ways. Prints the OOF Dice (mean over
images, threshold chosen on the same maps), the nested one, and each fold's.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import open_run
from pipeline.reports.scorecard import as_markdown

LAYOUT = {
    "images": "train/{id}.*",
    "masks": "train_masks/{id}.png",
    "reference": "train_refs/{id}.*",
    "group": {"csv": "groups.csv"},
    "classes": ["defect"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="default: the reference demo, drawn if need be")
    parser.add_argument("--ways", nargs="+", default=["difference"], help="concat, difference, …")
    parser.add_argument("--encoder", default="test_resnet")
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--resize", type=float, help="factor at which images are worked on")
    parser.add_argument("--images", type=int, help="only the first so many")
    parser.add_argument("--work", type=Path, help="where to keep what is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = arguments.work or Path(folder)
        aligned = {f"aligned, {way}": way for way in arguments.ways}
        rows = measured(arguments, work, "auto", {"image only": "none", **aligned})
        unaligned = {f"unaligned, {way}": way for way in arguments.ways}
        rows += measured(arguments, work, "none", unaligned)
    columns = ["seen", "OOF Dice", "nested", "fold 0", "fold 1"]
    print(as_markdown(pd.DataFrame(rows, columns=columns)))


def measured(
    arguments: argparse.Namespace, work: Path, motion: str, seen: dict[str, str]
) -> list[list[str]]:
    """A row a way of seeing, with references aligned by `motion`."""
    names = {name.replace(", ", "_").replace(" ", "_"): name for name in seen}
    raw = _experiment(arguments, motion, {key: seen[name] for key, name in names.items()})
    models = open_run(raw, folder=work).ensemble()["models"]
    return [
        [
            name,
            *(f"{score:.3f}" for score in (each["tuned"], each["nested"], *each["folds"].values())),
        ]
        for name, each in zip(names.values(), models.values(), strict=True)
    ]


def _experiment(arguments: argparse.Namespace, motion: str, ways: dict[str, str]) -> dict[str, Any]:
    is_demo = arguments.data is None
    root = arguments.data or Path("data/demo_reference")
    network = {"decoder": "unet", "encoder": arguments.encoder, "weights": None}
    ids = sorted(path.stem for path in (root / "train").glob("*.*")) if not is_demo else []
    dropped = ids[arguments.images :] if arguments.images else []
    return {
        "name": f"worth_{'demo' if is_demo else root.name}_{motion}",
        "demo": "screens" if is_demo else None,
        "data": {**LAYOUT, "root": str(root), "drop": dropped},
        "align": {"motion": motion},
        "input": {"resize": arguments.resize},
        "folds": {"count": 2},
        "models": {name: {**network, "reference": way} for name, way in ways.items()},
        "train": {
            "size": [96, 96], "batch": 4, "workers": 0, "epochs": 2, "steps": arguments.steps // 2,
            "lr": arguments.lr, "ema": 0.98,
            "augment": {"flips": ["horizontal", "vertical"], "colour": 0.0},
        },
        "infer": {"tta": ["identity"]},
        "ensemble": {"weights": "equal"},
    }  # fmt: skip


if __name__ == "__main__":
    main()
