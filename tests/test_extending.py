"""Recipes of docs/extending.md, followed to the letter in a copy of the package."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
USES = {
    "Loss": """
        import torch
        from pipeline.config import TrainConfig
        from pipeline.models.losses import weighted_loss
        from pipeline.models.losses.truth import Truth
        planes = torch.zeros(2, 1, 8, 8)
        planes[:, :, :4] = 1
        sure, valid = planes * 40 - 20, torch.ones(2, 1, 8, 8)
        terms = TrainConfig(loss={"log_cosh_dice": 1}).loss
        right = weighted_loss(terms, sure, Truth(planes, valid, False))
        wrong = weighted_loss(terms, -sure, Truth(planes, valid, False))
        assert abs(right) < 1e-3 and 0.4 < wrong < 0.44, (right, wrong)
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
    "Tracker": """
        import json, pathlib
        from importlib import import_module
        from pipeline.tracking import TRACKERS
        from pipeline.tracking.tracker import TrackedRun
        module, _, name = TRACKERS["jsonl"].adapter.partition(":")
        adapter = getattr(import_module(module), name)()
        adapter.start(TrackedRun("cars", "unet/fold0", "f0", pathlib.Path(), {}, 1))
        for step in (1, 2, 3):
            adapter.log(step, {"loss": 1 / step})
        adapter.finish()
        lines = [json.loads(line) for line in open("f0.jsonl")]
        assert lines == [{"step": step, "loss": 1 / step} for step in (1, 2, 3)], lines
    """,
    "Submission format": """
        import numpy as np
        from pathlib import Path
        from pipeline.config import DataConfig, SubmissionConfig
        from pipeline.ensemble.blending.means import ARITHMETIC
        from pipeline.ensemble.recipe import Recipe
        from pipeline.errors import DataError
        from pipeline.submission.format import SubmittedDecisions
        from pipeline.submission.registry import FORMATS
        likely = np.zeros((1, 6, 8), np.uint8)
        likely[0, 2:5, 3:] = 255
        recipe = Recipe({"m": 1.0}, (0.5,), multiclass=False, mean=ARITHMETIC)
        decisions = SubmittedDecisions(recipe, lambda id: [likely * (id == "b")], lambda id: (6, 8))
        settings = SubmissionConfig(format="boxes")
        data = DataConfig(root=".", images="{id}.png", masks="m/{id}.png", classes=["car"])
        planned = FORMATS["boxes"].plan(settings, data, ["b", "c"])
        assert planned.write(Path("s.csv"), decisions, lambda _: None).rows == 2
        assert Path("s.csv").read_text().splitlines()[1:] == ["b,3,2,5,3", "c,0,0,0,0"]
        try:
            both = data.model_copy(update={"classes": {"car": 1, "bike": 2}})
            FORMATS["boxes"].plan(settings, both, ["b"])
        except DataError as error:
            assert "one class" in str(error)
        else:
            raise AssertionError("two classes were taken")
    """,
    "Optimizer or schedule": """
        import torch
        from pipeline.config import TrainConfig
        from pipeline.known_names import name_checks
        from pipeline.training.optimizers import make_optimizer
        from pipeline.training.schedules import learning_rate
        settings = TrainConfig(optimizer="rmsprop", schedule="linear", warmup=0)
        optimizer = make_optimizer(torch.nn.Linear(2, 2), settings)
        assert isinstance(optimizer, torch.optim.RMSprop)
        rates = [learning_rate(step, 4, settings) for step in range(4)]
        falls = [before - after for before, after in zip(rates, rates[1:])]
        assert rates[0] == optimizer.param_groups[0]["lr"] == 1e-3
        assert min(falls) > 0 and max(falls) - min(falls) < 1e-9, rates
        name_checks()["optimizer"]("rmsprop"), name_checks()["schedule"]("linear")
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
    for block in re.finditer(r"^```diff\n(.*?)^```", recipe, re.M | re.S):
        before = recipe[: block.start()]
        registry = root / re.findall(r"`(pipeline/\S+\.py)`", before)[-1]
        registry.write_text(with_added(registry.read_text(), block[1].splitlines()))


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
    for title in USES:
        follow(section(title), root)
    return root


@pytest.mark.slow
def test_every_recipe_gives_what_it_says(extended: Path) -> None:
    uses = {title: textwrap.dedent(code) for title, code in USES.items()}
    code = f"for title, code in {uses!r}.items():\n    print(title)\n    exec(code, {{}})"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=extended, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.split("\n")[:-1] == list(USES)


def test_recipes_with_a_block_of_lines_are_followed() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    assert {title for title in titles if "```diff" in section(title)} == set(USES)


@pytest.mark.parametrize("row", re.findall(r"^\| \[.*$", PAGE, re.M))
def test_the_table_names_files_and_registries_that_exist(row: str) -> None:
    _, _, new, registry, _ = (cell.strip() for cell in row.split("|"))
    for path in re.findall(r"`(pipeline/\S+)`", new):
        assert (ROOT / path).parent.is_dir(), path
    named = re.findall(r"`(\S+\.py)`: `(\w+)`", registry)
    assert named
    for path, symbol in named:
        assert symbol in _defined(ROOT / path), f"{path} defines no {symbol}"


def _defined(path: Path) -> set[str]:
    """Names of a module's own functions, classes and variables."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def test_every_change_of_the_table_has_a_recipe() -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.M)
    linked = re.findall(r"^\| \[(.*?)\]\(#(.*?)\)", PAGE, re.M)
    assert len(linked) == len(titles) == 13
    for (name, anchor), title in zip(linked, titles, strict=True):
        assert (name.lower(), anchor) == (title.lower(), title.lower().replace(" ", "-"))
