"""Volumes that are predicted along several axes: equal to doing it by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.checks.volume_findings import VolumeFacts, shape_problems
from pipeline.config import InferConfig, ModelConfig, build_experiment
from pipeline.data.catalog import list_samples
from pipeline.data.samples import SampleReader
from pipeline.data.volumes import slice_path
from pipeline.errors import ConfigError
from pipeline.execution.executor import JobContext
from pipeline.inference import job
from pipeline.inference.map_ranges import whole_ranges
from pipeline.inference.other_axes import SIDES, along_axis, plane_of
from pipeline.inference.sinks import StoreSink
from pipeline.interruption import StopFlag
from pipeline.manifests import file_checksum
from pipeline.maps import MapShape, MapStore
from pipeline.maps.quantise import quantise
from pipeline.models.checkpoint import save_weights
from pipeline.models.factory import build_model
from pipeline.reporting import JobProgress
from tests.helpers.competitions import TINY
from tests.helpers.volumes import draw_volume, save_volume, volume_experiment


def _draw(folder: Path, count: int, shape: tuple[int, int, int]) -> None:
    for number in range(count):
        save_volume(folder / f"train/case{number}.npy", draw_volume(number, shape)[0])


def _model(**infer: Any) -> ModelConfig:
    settings = InferConfig(**{"tta": ("identity",), "dtype": "uint16", **infer})
    return ModelConfig(decoder="linknet", encoder="test_resnet", weights=None, infer=settings)


def _job(folder: Path, data: Any, sink: Any, *models: ModelConfig) -> job.InferJob:
    path = folder / "w.safetensors"
    reader = SampleReader(data)
    if not path.exists():
        channels = reader.channels_for(models[0].input)
        save_weights(path, build_model(models[0].architecture, classes=1, channels=channels))
    weights = job.MemberWeights("m", path, file_checksum(path))
    outputs = tuple(job.Output(model, (weights,)) for model in models)
    return job.InferJob(outputs, sink, 1, False, reader, list_samples(data).train)


def _stores(folder: Path, work: job.InferJob) -> tuple[MapStore, ...]:
    shapes = [MapShape(each.id, *work.reader.seen_size(each)) for each in work.samples]
    return tuple(
        MapStore.create(folder / f"maps{number}", shapes, ["tube"], fingerprint="f", dtype="uint16")
        for number in range(len(work.outputs))
    )


def _by_hand(work: job.InferJob, volume: Path, axis: str, model: ModelConfig) -> np.ndarray:
    """The probabilities ZYX of a volume along one axis, from its pixels."""
    predictor = job.make_predictor(work, job.Output(model, work.outputs[0].members), "cpu")
    pixels = np.load(volume).astype(np.float32)[None]
    maps = np.zeros(pixels.shape, np.float32)
    side = 1 + SIDES.index(axis)
    for number in range(pixels.shape[side]):
        plane = plane_of(pixels, axis, number).transpose(1, 2, 0)
        plane_of(maps, axis, number)[:] = predictor.predict([np.ascontiguousarray(plane)])[0]
    return maps[0]


@pytest.mark.parametrize("along", ["Z", "Y"])
def test_probabilities_along_the_axes_are_averaged(along: str, tmp_path: Path) -> None:
    """Beside a model of one axis and one in tiles, in one job."""
    _draw(tmp_path / "data", 2, (2, 3, 36))
    raw = volume_experiment(
        tmp_path / "data", ".npy", data={"test": None, "volume": {"axis": along}}
    )
    data = build_experiment(raw, source="x").data
    axes = ("z", "y", "x")
    models = _model(axes=axes), _model(), _model(axes=axes, tile=[32, 32])
    work = _job(tmp_path, data, None, *models)
    work = job.InferJob(
        work.outputs, StoreSink(_stores(tmp_path, work)), 1, False, work.reader, work.samples
    )
    context = JobContext("cpu", JobProgress(tmp_path / "progress", "j"), StopFlag())
    job.predict_range(work, context)
    for case in ("case0", "case1"):
        volume = tmp_path / f"data/train/{case}.npy"
        for number, model in enumerate((_model(), _model(), _model(tile=[32, 32]))):
            used = SIDES if models[number].infer.axes else along
            wanted = sum(_by_hand(work, volume, axis, model) for axis in used) / len(used)
            store = work.sink.stores[number]
            for at in range(wanted.shape[SIDES.index(along)]):
                expected = quantise(plane_of(wanted[None], along, at), "uint16")
                found = store.read_raw(f"{case}_{at:04d}")
                assert np.abs(found.astype(int) - expected).max() <= 1, (case, at)
    assert not work.sink.pending()


def test_a_dropped_slice_is_none_along_another_axis(tmp_path: Path) -> None:
    """Neighbours of the slices along Y are all there, though slice 1 along Z is dropped."""
    _draw(tmp_path / "data", 1, (4, 5, 8))
    keys = {"test": None, "drop": ["case0_0001"], "stack": {"neighbours": [-1, 0, 1]}}
    raw = volume_experiment(tmp_path / "data", ".npy", data=keys)
    reader = SampleReader(build_experiment(raw, source="x").data)
    pixels = np.load(tmp_path / "data/train/case0.npy").astype(np.float32)
    slices = slice_path(tmp_path / "data/train/case0.npy", 2)
    along = along_axis(reader, "Y").source.read(slices)
    assert np.array_equal(along, np.stack([pixels[:, n] for n in (1, 2, 3)], axis=2))
    own = along_axis(reader, "Z").source.read(slices)
    assert np.array_equal(own, np.stack([pixels[n] for n in (2, 2, 3)], axis=2))


def test_a_stopped_job_goes_on_where_it_was(tmp_path: Path) -> None:
    _draw(tmp_path / "data", 1, (4, 5, 8))
    raw = volume_experiment(tmp_path / "data", ".npy", data={"test": None})
    data = build_experiment(raw, source="x").data
    model = _model(axes=("z", "y"))
    work = _job(tmp_path, data, None, model)
    context = JobContext("cpu", JobProgress(tmp_path / "progress", "j"), StopFlag())
    stores = [_stores(tmp_path / name, work) for name in "ab"]
    for store in stores:
        sink = StoreSink(store)
        whole = job.InferJob(work.outputs, sink, 1, False, work.reader, work.samples)
        job.predict_range(whole, context)
    (once,), (again,) = stores
    again.reset(["case0_0002", "case0_0003"])
    sink = StoreSink((again,))
    job.predict_range(
        job.InferJob(work.outputs, sink, 1, False, work.reader, work.samples), context
    )
    for each in once.ids:
        assert np.array_equal(once.read_raw(each), again.read_raw(each))


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ({"data": {"volume": None, "images": "train/{id}.png"}}, "infer.axes needs data.volume"),
        ({"infer": {"axes": ["y", "x"]}}, "must hold z, along which the network is trained"),
        ({"infer": {"axes": ["z", "z"]}}, "an axis stands twice"),
        ({"infer": {"axes": ["z", "c"]}}, "infer.axes"),
        ({"data": {"frame": {"pad": 4}}}, "data.frame do not go together"),
    ],
)
def test_axes_that_cannot_be_predicted_are_refused(
    blocks: dict[str, Any], says: str, tmp_path: Path
) -> None:
    raw = volume_experiment(tmp_path, **{"infer": {"axes": ["z", "y", "x"]}, **blocks})
    with pytest.raises(ConfigError, match=says):
        build_experiment(raw, source="x")


def test_voxels_that_are_no_cubes_are_told(tmp_path: Path) -> None:
    models = {"a": {"decoder": "unet", **TINY}, "b": {"decoder": "fpn", **TINY}}
    raw = volume_experiment(tmp_path, models=models)
    raw["models"]["b"]["infer"] = {"axes": ["z", "y", "x"]}
    found = build_experiment(raw, source="x").models
    facts = [
        VolumeFacts("train", (6,), ((3.0, 1.0, 1.0),)),
        VolumeFacts("test", (6, 6), ((1.1, 1.0, 1.0),)),
    ]
    (finding,) = shape_problems(facts, found)
    assert finding.severity == "warning" and finding.subject == "models.b.infer.axes"
    assert "voxel of train is 3 × 1 × 1 (Z × Y × X), no cube" in finding.text
    assert not list(shape_problems(facts, {"a": found["a"]}))
    assert not list(shape_problems(facts[1:], found))


def test_ranges_cut_no_volume() -> None:
    groups = [["a1", "a2", "a3"], ["b1"], ["c1", "c2"]]
    assert whole_ranges(groups, [3, 1, 2], 2) == [["a1", "a2", "a3"], ["b1", "c1", "c2"]]
    assert whole_ranges(groups, [3, 1, 2], 9) == groups
