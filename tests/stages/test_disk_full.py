"""A disk that is too small is named before anything is written, and what was refused goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.disk_space import allocated_bytes
from pipeline.errors import ResourceError
from pipeline.stages import infer, submit, train
from tests.helpers import disks
from tests.helpers.competitions import ONE_MODEL, context, draw_discs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, workspace = tmp_path_factory.mktemp("discs"), tmp_path_factory.mktemp("workspace")
    draw_discs(root, count=8, test=60)
    train.run(context(root, workspace, **ONE_MODEL))
    return root, workspace


def test_train_refuses_checkpoints_that_do_not_fit(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = trained
    weights = sum(path.stat().st_size for path in workspace.rglob("*.safetensors"))
    with disks.small_disk(tmp_path / "disk", str(weights // 2)) as disk:
        with pytest.raises(ResourceError, match=r"train will write [\d,]+ bytes .* to .*/discs"):
            train.run(context(root, disk, **ONE_MODEL))
        assert not list(disk.rglob("*.safetensors")) and not list(disk.rglob("state.bin"))


def test_infer_refuses_maps_that_do_not_fit_and_goes_on_when_they_do(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    root, workspace = trained
    taken = allocated_bytes([workspace])
    maps = (8 + 60) * 48 * 64
    with disks.small_disk(tmp_path / "disk", str(taken + maps // 2)) as disk:
        shutil.copytree(workspace, disk, dirs_exist_ok=True)
        with pytest.raises(ResourceError, match=r"infer will write .*dtype: uint8.*accumulate"):
            infer.run(context(root, disk, **ONE_MODEL))
        assert not list(disk.rglob("maps.npy"))
        disks.resize(disk, str(taken + 2 * maps + 2**20))
        submit.run(context(root, disk, **ONE_MODEL))
        # what is allocated counts as there: full to the brim, a second run has nothing to refuse
        infer.run(context(root, disk, **ONE_MODEL))
        store = infer.run(context(root, disk, **ONE_MODEL)).oof["a"]
        store.reset(store.ids[:3])
        disks.fill_up(disk, but=2**16)
        again = context(root, disk, **ONE_MODEL)
        infer.run(again)
        assert "infer: 3 maps" in again.reporter.said[-1]  # type: ignore[attr-defined]


def test_sums_that_do_not_fit_are_refused(trained: tuple[Path, Path], tmp_path: Path) -> None:
    root, workspace = trained
    together = {**ONE_MODEL, "ensemble": {"threshold": 0.5, "accumulate": True}}
    taken = allocated_bytes([workspace])
    with disks.small_disk(tmp_path / "disk", str(taken + 2**19)) as disk:
        shutil.copytree(workspace, disk, dirs_exist_ok=True)
        with pytest.raises(ResourceError, match=r"submit will write 7\d\d,\d+ bytes"):
            submit.run(context(root, disk, **together))
