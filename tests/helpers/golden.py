"""What `fingerprints.json` holds; `python -m tests.helpers.golden` rewrites it after a bump.

Of every shipped experiment the fingerprints of its blocks, and the defaults of all blocks: a
fingerprint leaves out what stands at its default, so that a default may change only together with
the version of what is made from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pipeline import alignment
from pipeline.config import Experiment, load_experiment
from pipeline.config.base import Block
from pipeline.data import folds, inspection
from pipeline.inference import job as inference
from pipeline.inference import tiled
from pipeline.manifests import fingerprint
from pipeline.training import member as training
from pipeline.training.optimizers import OPTIMIZERS

PATH = Path(__file__).parents[1] / "fingerprints.json"
CONFIGS = Path(__file__).parents[2] / "configs"


def golden() -> dict[str, Any]:
    """Versions, defaults by block, and fingerprints by experiment and block."""
    return {
        "versions": [
            each.VERSION for each in (inspection, folds, alignment, training, inference, tiled)
        ],
        "defaults": {
            **{each.__name__: _defaults(each) for each in sorted_blocks()},
            "rates": {name: kind.rate for name, kind in OPTIMIZERS.items()},
        },
        "experiments": {
            path.relative_to(CONFIGS).as_posix(): _blocks(load_experiment(path))
            for path in sorted(CONFIGS.rglob("*.yaml"))
        },
    }


def sorted_blocks() -> list[type[BaseModel]]:
    return sorted(set(_below(Block)) - {Experiment}, key=lambda each: each.__name__)


def _below(block: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in block.__subclasses__():
        if each.__module__.startswith("pipeline."):
            yield each
            yield from _below(each)


def _defaults(block: type[BaseModel]) -> dict[str, Any]:
    return {
        name: to_jsonable_python(field.get_default(call_default_factory=True))
        for name, field in block.model_fields.items()
        if not field.is_required()
    }


def _blocks(experiment: Experiment) -> dict[str, str]:
    blocks = {
        key: fingerprint(getattr(experiment, key))
        for key in ("data", "align", "folds", "ensemble", "submission")
    }
    for name, model in experiment.models.items():
        blocks[f"models.{name}"] = fingerprint(model)
    return blocks


if __name__ == "__main__":
    PATH.write_text(json.dumps(golden(), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
