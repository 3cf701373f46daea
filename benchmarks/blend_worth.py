"""What searched weights are worth on real data: against equal ones and against each single model.

    python -m benchmarks.blend_worth --data FOLDER [dsb2018 magtile camvid]

Takes the maps that `benchmarks.real` left in runs/ and chooses the blend anew with other settings
of `ensemble.weights`; thresholds and post-processing are chosen in every row alike. Intervals
are those of the nested score for a test set of the competition's number of groups.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pipeline import open_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["dsb2018", "magtile", "camvid"])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    arguments = parser.parse_args()
    print("| data | weights | tuned | nested | interval |")
    print("|---|---|---|---|---|")
    for name in arguments.names:
        compare(Path(f"configs/{name}.yaml"), arguments.data / name)


def compare(config: Path, data: Path) -> None:
    """A row a setting; the last choice is the experiment's own, so that runs/ is left as it was."""
    models = list(open_run(config, data=data).experiment.models)
    settings = {f"{model} alone": {m: float(m == model) for m in models} for model in models}
    for label, weights in {**settings, "equal": "equal", "searched": "search"}.items():
        score = chosen(config, data, weights)
        low, high = score["interval"]
        print(
            f"| {config.stem} | {label} | {score['tuned']:.5f} | {score['nested']:.5f} | "
            f"{low:.4f} … {high:.4f} |",
            flush=True,
        )


def chosen(config: Path, data: Path, weights: object) -> dict[str, Any]:
    """The scores of the blend that is chosen under `ensemble.weights: weights`."""
    override = f"ensemble.weights={json.dumps(weights)}"
    score: dict[str, Any] = open_run(config, override, data=data, quiet=True).ensemble()["score"]
    return score


if __name__ == "__main__":
    main()
