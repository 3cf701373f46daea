"""Recipes of docs/extending.md, followed to the letter in a copy of the package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RECIPES = ("Loss", "Metric", "TTA view", "Post-processing step")

USES = {
    "Loss": """
        import torch
        from pipeline.models.losses import weighted_loss
        planes = torch.zeros(2, 1, 8, 8)
        planes[:, :, :4] = 1
        sure, valid = planes * 40 - 20, torch.ones(2, 1, 8, 8)
        right = weighted_loss({"tversky": 1}, sure, planes, valid, False)
        wrong = weighted_loss({"tversky": 1}, -sure, planes, valid, False)
        assert abs(right) < 1e-3 and wrong > 0.9, (right, wrong)
    """,
    "Metric": """
        import numpy as np
        from pipeline.metrics import metric_of
        counts = np.array([[[3, 1, 9, 9]], [[0, 0, 5, 9]]])
        np.testing.assert_allclose(metric_of("precision").per_image(counts), [0.75, 1])
        assert metric_of("precision").aggregate(counts) == 0.875
    """,
    "TTA view": """
        import torch
        from pipeline.errors import ConfigError
        from pipeline.inference.tta import parse_tta
        views = parse_tta(["identity", "contrast:1.2", "hflip+contrast:0.8"])
        images = torch.rand(1, 3, 4, 6)
        for view in views:
            assert view.apply(images).shape == images.shape
            assert torch.equal(view.undo(view.apply(torch.full((1, 1, 4, 6), 0.5)), (4, 6)),
                               torch.full((1, 1, 4, 6), 0.5))
        try:
            parse_tta(["contrst"])
        except ConfigError as error:
            assert "did you mean 'contrast:1.2'" in str(error), error
    """,
    "Post-processing step": """
        import numpy as np
        from pipeline.ensemble.postprocessing.registry import ChosenStep, apply_steps, get_step
        probability = np.array([[[0.55, 0.9]]], np.float32)
        after = apply_steps(probability > 0.5, probability, [ChosenStep("thin_out", 0.7)])
        assert after.tolist() == [[[False, True]]]
        assert get_step({"name": "thin_out", "values": [0.7]}).candidates == (0.7,)
    """,
}


def section(title: str) -> str:
    """What stands under a heading, up to the next."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    return str(found)


def follow(recipe: str, root: Path) -> None:
    """Write the new file of a recipe, if it has one, and add its lines to the registry."""
    for path, code in re.findall(r"New file `(\S+)`[^`]*.*?```python\n(.*?)```", recipe, re.S):
        assert not (root / path).exists()
        (root / path).write_text(code)
    (before, lines) = recipe.split("```diff\n")
    registry = root / re.findall(r"`(pipeline/\S+\.py)`", before)[-1]
    registry.write_text(with_added(registry.read_text(), lines.split("```")[0].splitlines()))


def with_added(text: str, lines: list[str]) -> str:
    """`text` with each line of a `+` put below the line above it."""
    at = 0
    for line in lines:
        if line.startswith("+"):
            text = f"{text[:at]}{line[1:]}\n{text[at:]}"
            at += len(line)
        else:
            at = text.index(f"{line[1:]}\n", at) + len(line)
    return text


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("extended")
    shutil.copytree(
        ROOT / "pipeline", root / "pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    for title in RECIPES:
        follow(section(title), root)
    return root


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_gives_what_it_says(extended: Path, title: str) -> None:
    code = "\n".join(line[8:] for line in USES[title].splitlines())
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=extended, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr


def test_every_change_of_the_table_has_a_recipe() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    linked = re.findall(r"^\| \[(.*?)\]\(#(.*?)\)", PAGE, re.M)
    assert len(linked) == len(titles) == 12
    for (name, anchor), title in zip(linked, titles, strict=True):
        assert (name.lower(), anchor) == (title.lower(), title.lower().replace(" ", "-"))
