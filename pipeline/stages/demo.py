"""demo: draws the built-in competition of an experiment, once."""

from __future__ import annotations

import time

from pipeline.demo import get_demo
from pipeline.stages.context import StageContext, once


@once
def run(context: StageContext) -> None:
    """Draw the demo named by the experiment, unless it is there (or none is named)."""
    name, root = context.experiment.demo, context.experiment.data.root
    if name is None:
        return
    draw = get_demo(name)
    with context.exclusive("demo"):
        if (root / "demo.json").is_file():
            context.up_to_date("demo", root)
            return
        started = time.monotonic()
        draw(root)
    context.done("demo", f"{name} competition drawn", root, started)
