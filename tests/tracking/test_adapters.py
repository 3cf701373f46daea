"""What the adapters leave is read back with the trackers' own libraries, where those are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.tracking import TRACKERS
from pipeline.tracking.tracker import TrackedRun, Tracker


def log(tracker: Tracker, folder: Path, steps: range) -> None:
    """One process's share of a run."""
    settings = {"encoder": "resnet18", "size": "64×64"}
    tracker.start(TrackedRun("cars", "unet/fold0", "0123abcd", folder, settings, steps.start))
    for step in steps:
        tracker.log(step, {"loss": 1 / step, "dice": step / 10})
    tracker.finish()


@pytest.mark.parametrize("name", TRACKERS)
def test_an_adapter_is_short(name: str) -> None:
    path = Path(TRACKERS[name].adapter.partition(":")[0].replace(".", "/") + ".py")
    text = (Path(__file__).parents[2] / path).read_text()
    assert len(text[text.index("\nclass ") :].splitlines()) <= 30


def test_tensorboard_event_files_hold_every_point_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs pip install tensorboardX")
    from tensorboardX.proto import event_pb2

    from pipeline.tracking.tensorboard import TensorBoard

    log(TensorBoard(), tmp_path, range(1, 4))
    log(TensorBoard(), tmp_path, range(4, 6))
    points = {}
    for path in sorted((tmp_path / "unet/fold0").iterdir()):
        for record in _records(path.read_bytes()):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                assert (value.tag, event.step) not in points
                points[value.tag, event.step] = value.simple_value
    assert sorted(points) == [(tag, step) for tag in ("dice", "loss") for step in range(1, 6)]
    assert points["dice", 4] == pytest.approx(0.4)


def test_mlflow_goes_on_with_its_run_in_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs pip install mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    from pipeline.tracking.mlflow import MLflow

    log(MLflow(), tmp_path, range(1, 4))
    log(MLflow(), tmp_path, range(4, 6))
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("cars").experiment_id])
    assert [m.step for m in client.get_metric_history(run.info.run_id, "dice")] == [1, 2, 3, 4, 5]
    assert run.data.params["encoder"] == "resnet18"


def test_wandb_works_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    from pipeline.tracking.wandb import WeightsAndBiases

    log(WeightsAndBiases(), tmp_path, range(1, 4))
    assert list(tmp_path.rglob("*0123abcd.wandb"))


def _records(data: bytes) -> list[bytes]:
    """The records of a TFRecord file: length (8 bytes), its checksum (4), data, checksum (4)."""
    records, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        records.append(data[at + 12 : at + 12 + length])
        at += length + 16
    return records
