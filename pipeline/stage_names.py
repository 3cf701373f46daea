"""The names of the stages and of the commands about a finished run."""

from __future__ import annotations

ORDER = ("demo", "check", "align", "folds", "train", "infer", "ensemble", "submit", "scorecard")
BY_MEMBER = ("train", "infer")
"""The stages that can be asked for some models or one fold alone: MODEL=, FOLD=."""
OF_FINISHED_RUNS = ("predict", "export", "bundle")
