"""The parts of a bundle that need no network."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.bundle import start
from pipeline.bundle.data_root import find_data_root
from pipeline.bundle.deadline import Deadline
from pipeline.bundle.kernel import dataset_metadata, kaggle_name, kernel_metadata, notebook
from pipeline.bundle.pack import halved, pack_code
from pipeline.ensemble.blending.means import Mean
from pipeline.ensemble.recipe import Recipe
from pipeline.errors import ConfigError, DataError, InterruptedRunError
from pipeline.interruption import interruptible
from pipeline.kaggle.slugs import check_slug
from pipeline.stages.bundle import upload_commands
from tests.helpers.competitions import experiment


@pytest.mark.parametrize("where", ["", "contest", "competitions/contest", "a/b/c"])
def test_the_data_is_found_wherever_it_is_mounted(tmp_path: Path, where: str) -> None:
    data = experiment(tmp_path).data
    (tmp_path / where / "test").mkdir(parents=True)
    assert find_data_root(tmp_path, data, None) == tmp_path / where
    with pytest.raises(DataError, match=r"no folder below .* has test/\{id\}.png and sample.csv"):
        find_data_root(tmp_path, data, Path("sample.csv"))
    (tmp_path / where / "sample.csv").touch()
    assert find_data_root(tmp_path, data, Path("sample.csv")) == tmp_path / where


def test_jobs_are_stopped_at_the_deadline() -> None:
    deadline = Deadline(0.2)
    began = time.monotonic()
    with deadline.enforced(), interruptible() as stop:
        while time.monotonic() - began < 20:
            stop.check()
            time.sleep(0.01)
    assert deadline.passed and time.monotonic() - began < 10


def test_a_signal_from_elsewhere_is_no_deadline() -> None:
    with pytest.raises(InterruptedRunError), Deadline(60).enforced(), interruptible() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        stop.check()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_models_that_are_left_keep_their_proportions_and_tables() -> None:
    tables = np.arange(3 * 256, dtype=np.uint16).reshape(3, 256)
    recipe = Recipe(
        {"a": 0.5, "b": 0.2, "c": 0.3}, (0.5,), multiclass=False, mean=Mean("rank", tables)
    )
    some = recipe.of_models({"c", "a"})
    assert some.weights == {"a": 0.5, "c": 0.3}
    np.testing.assert_array_equal(some.mean.tables, tables[[0, 2]])
    assert recipe.of_models(recipe.names).weights == recipe.weights


def test_code_is_packed_without_what_is_compiled(tmp_path: Path) -> None:
    pack_code(tmp_path / "site.zip")
    names = zipfile.ZipFile(tmp_path / "site.zip").namelist()
    assert {"pipeline/__init__.py", "segmentation_models_pytorch/__init__.py"} <= set(names)
    assert not [each for each in names if each.endswith((".so", ".pyc"))]
    assert len(names) == len(set(names))


def test_descriptions_have_the_keys_of_the_client() -> None:
    kernel = json.loads(kernel_metadata("me", "demo-submit", "demo", "contest"))
    assert kernel["enable_internet"] == "false"  # the client's default is true
    assert kernel["dataset_sources"] == ["me/demo"]
    assert kernel["id"].partition("/")[2] == kernel["title"]
    dataset = json.loads(dataset_metadata("me", "demo"))
    assert dataset == {"title": "demo", "id": "me/demo", "licenses": [{"name": "CC0-1.0"}]}
    cells = json.loads(notebook("demo", 8.5))["cells"]
    compile("".join(cells[0]["source"]), "cell", "exec")


def test_data_without_images_is_found_by_its_sample(tmp_path: Path) -> None:
    """Empty folders are not mounted, and folders of one image each are not there without images."""
    sample = Path("sample.csv")
    folders, root = experiment(tmp_path).data, tmp_path / "competitions/contest"
    beside = folders.model_copy(update={"test": "{id}.png"})
    (root / "train").mkdir(parents=True)
    (root / sample).touch()
    for data in (folders, beside):
        assert find_data_root(tmp_path, data, sample) == root
    with pytest.raises(DataError, match="no folder below"):
        find_data_root(tmp_path, beside, None)
    (tmp_path / "datasets/test").mkdir(parents=True)
    for name in ("test/1.png", "1.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert find_data_root(tmp_path, folders, None) == root
    assert find_data_root(tmp_path, beside, None) == root


@pytest.mark.parametrize("name", ["my_exp.v2", "a" * 80, "Опыт", "_x_", "é.b", "A--b.", "a-" * 40])
def test_experiments_of_any_name_have_one_at_kaggle(name: str) -> None:
    assert check_slug("NAME", f"{kaggle_name(name, 34)}-maskmill-submit")
    assert kaggle_name("a" * 80, 34) != kaggle_name("a" * 81, 34)


def test_another_bundle_is_not_taken_for_the_one_before(tmp_path: Path) -> None:
    for content in ("one", "two"):
        (tmp_path / "maskmill-bundle.json").write_text(json.dumps({"content": content}))
        with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
            archive.writestr("which", content)
        run = start.unpacked(tmp_path, "run", tmp_path / "tmp" / start.content_of(tmp_path))
        assert (run / "which").read_text() == content
    (tmp_path / "maskmill-bundle.json").write_text("[]")
    with pytest.raises(SystemExit, match="upload it again"):
        start.content_of(tmp_path)


def test_folders_with_blanks_can_be_typed() -> None:
    assert "-p 'my bundle/dataset' (" in upload_commands(Path("my bundle"))


def test_weights_that_16_bits_do_not_hold_keep_32() -> None:
    large = torch.tensor([1.0, 70_000.0])
    assert torch.equal(halved(large), large)
    assert halved(torch.ones(2)).dtype == torch.float16
    assert halved(torch.tensor([1, 2])).dtype == torch.int64


@pytest.mark.parametrize("text", ["", "A", "Some-Contest", "a b", "-abc", "abc-", "x" * 51])
def test_names_that_no_address_has(text: str) -> None:
    with pytest.raises(ConfigError, match="COMPETITION"):
        check_slug("COMPETITION", text)
