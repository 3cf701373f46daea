"""Each slice of a volume is an image: listed, read and checked, whatever its format."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.checks.volume_findings import spacing_problems, volume_facts
from pipeline.config import DataConfig, build_experiment
from pipeline.config.volume import VolumeConfig
from pipeline.data.array_files import tiff, whole_arrays
from pipeline.data.array_files.numbered_files import in_order
from pipeline.data.catalog import Catalog, list_samples
from pipeline.data.groups import groups_of
from pipeline.data.image_sources.registry import image_source
from pipeline.data.inspection import Record, inspect
from pipeline.data.samples import SampleReader
from pipeline.data.stamps import stamp_of
from pipeline.data.volumes import open_volume
from pipeline.errors import ConfigError, DataError
from pipeline.prediction.image_list import list_images
from tests.helpers.volumes import SIDES, draw_volume, draw_volumes, save_volume, volume_experiment

ENDINGS = [".tif", ".npy", ".nii", ".nii.gz", ".zarr"]


def _data(root: Path, ending: str = ".tif", **data: Any) -> DataConfig:
    rows = {"rows": "class", "key": "{id}_{class}"} if len(data.get("classes", "1")) > 1 else {}
    raw = volume_experiment(root, ending, data=data)
    raw["submission"] = {**raw.get("submission", {}), **rows}
    return build_experiment(raw, source="test").data


def _records(data: DataConfig, catalog: Catalog | None = None) -> list[Record]:
    return inspect(catalog or list_samples(data), data, {}, lambda _: None, threads=1)


@pytest.mark.parametrize("ending", ENDINGS)
def test_slices_are_images_with_their_masks(tmp_path: Path, ending: str) -> None:
    for package in {".zarr": ["zarr"], ".nii": ["nibabel"], ".nii.gz": ["nibabel"]}.get(ending, []):
        pytest.importorskip(package)
    draw_volumes(tmp_path, count=2, test=1, ending=ending)
    data = _data(tmp_path, ending)
    catalog = list_samples(data)
    assert [each.id for each in catalog.train] == [
        f"case{volume}_{number:04d}" for volume in range(2) for number in range(SIDES[0])
    ]
    assert [each.id for each in catalog.test] == [f"case2_{number:04d}" for number in range(6)]
    reader = SampleReader(data)
    for number, sample in enumerate((*catalog.train, *catalog.test)):
        volume, labels = draw_volume(number // SIDES[0])
        plane = number % SIDES[0]
        assert np.array_equal(reader.image(sample)[..., 0], volume[plane])
        assert np.array_equal(reader.rows(sample)[3:9][..., 0], volume[plane, 3:9])
        assert reader.seen_size(sample) == SIDES[1:]
        if sample.part == "train":
            assert np.array_equal(reader.truth(sample, SIDES[1:]).planes[0], labels[plane])
    assert {each.problem for each in _records(data)} == {""}
    groups = groups_of([each.id for each in catalog.train], data)
    assert groups["case1_0004"] == "case1"


@pytest.mark.parametrize("axis", ["Y", "X"])
@pytest.mark.parametrize("kept", [True, False])
def test_slices_along_another_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axis: str, kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr("pipeline.data.array_files.one_plane.MOST_KEPT", 0)
    draw_volumes(tmp_path, count=1, test=0)
    data = _data(tmp_path, volume={"axis": axis}, test=None)
    catalog, reader = list_samples(data), SampleReader(_data(tmp_path, volume={"axis": axis}))
    volume, labels = draw_volume(0)
    order = (1, 0, 2) if axis == "Y" else (2, 0, 1)
    turned, masks = volume.transpose(order), labels.transpose(order)
    assert len(catalog.train) == len(turned)
    for plane, sample in enumerate(catalog.train):
        assert np.array_equal(reader.image(sample)[..., 0], turned[plane])
        truth = reader.truth(sample, masks.shape[1:])
        assert np.array_equal(truth.planes[0], masks[plane])


def test_neighbours_are_slices_of_the_same_volume(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=2, test=1)
    stack = {"neighbours": [-2, 0, 1]}
    for edges in ("repeat", "no_data"):
        data = _data(tmp_path, stack={**stack, "edges": edges}, drop=["case1_0003"])
        by_id, reader = list_samples(data).by_id["train"], SampleReader(data)
        volume, _ = draw_volume(1)
        seen = reader.image(by_id["case1_0001"])
        assert np.array_equal(seen[..., 1], volume[1]) and np.array_equal(seen[..., 2], volume[2])
        first = np.array_equal(seen[..., 0], volume[0])
        assert first if edges == "repeat" else np.isnan(seen[..., 0]).all()
        beside = reader.image(by_id["case1_0002"])[..., 2]  # the dropped one
        assert np.array_equal(beside, volume[2]) if edges == "repeat" else np.isnan(beside).all()
        elsewhere = tmp_path / "elsewhere/new.tif"
        save_volume(elsewhere, volume)
        last = reader.source.read(elsewhere / "slice 5")
        assert np.array_equal(last[..., 0], volume[3]), "also of a volume that is not in the data"


def test_only_pages_of_the_slices_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tifffile

    draw_volumes(tmp_path, count=1, test=0)
    tifffile.imwrite(tmp_path / "train/case0.tif", draw_volume(0)[0], compression="zlib")
    pages: list[int] = []
    stored = tiff.read_page

    def noted(path: Path, file: Any, number: int, start: int, stop: int) -> np.ndarray:
        pages.append(number)
        return stored(path, file, number, start, stop)

    monkeypatch.setattr(tiff, "read_page", noted)
    data = _data(tmp_path, test=None, stack={"neighbours": [0, 1]})
    sample = list_samples(data).by_id["train"]["case0_0002"]
    seen = SampleReader(data).image(sample)
    assert pages == [2, 3] and np.array_equal(seen[..., 1], draw_volume(0)[0][3])


def test_a_packed_volume_and_its_masks_are_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nibabel = pytest.importorskip("nibabel")
    draw_volumes(tmp_path, count=1, test=0, ending=".nii.gz")
    unpacked = 0
    stored = nibabel.arrayproxy.ArrayProxy.get_unscaled

    def counted(self: Any) -> Any:
        nonlocal unpacked
        unpacked += 1
        return stored(self)

    monkeypatch.setattr(nibabel.arrayproxy.ArrayProxy, "get_unscaled", counted)
    whole_arrays._kept.clear()
    data = _data(tmp_path, ".nii.gz", test=None, stack={"neighbours": [-1, 0, 1]})
    assert {each.problem for each in _records(data)} == {""}
    assert unpacked == 2


def test_what_is_kept_unpacked_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(whole_arrays, "MOST_KEPT", 250)
    whole_arrays._kept.clear()
    path = tmp_path / "a"
    path.write_bytes(b"")
    made: list[str] = []

    def get(name: str, size: int = 100) -> None:
        def make() -> np.ndarray:
            made.append(name)
            return np.zeros(size, np.uint8)

        whole_arrays.whole_array(path, name, size, make)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"]
    get("large", 300)
    get("large", 300)
    assert made[-2:] == ["large", "large"]
    whole_arrays._kept.clear()


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((5, 40, 48), np.uint8), r"case0\.tif has 5 slice\(s\) of 40×48, and its images"),
        (np.zeros((6, 40, 40), np.uint8), "is 40×40, its image 48×40"),
        (np.zeros((6, 40, 48, 3), np.uint8), "a mask has one number a pixel"),
        (np.full((6, 40, 48), 0.5, np.float32), "no whole numbers"),
        (np.full((6, 40, 48), -1, np.int16), "numbers below 0"),
    ],
)
def test_masks_that_do_not_fit_are_told(tmp_path: Path, labels: np.ndarray, says: str) -> None:
    import tifffile

    draw_volumes(tmp_path, count=1, test=0)
    kind = "rgb" if labels.ndim == 4 else "minisblack"
    tifffile.imwrite(tmp_path / "labels/case0.tif", labels, photometric=kind)
    records = _records(_data(tmp_path, test=None))
    assert len(records) == 6
    for record in records:
        assert re.search(says, record.problem), record.problem


def test_values_of_several_classes_void_and_numbered_objects(tmp_path: Path) -> None:
    volume, labels = draw_volume(0)
    save_volume(tmp_path / "train/a.npy", volume)
    values = labels * np.uint8(2)
    values[2:, 10, 10], values[3] = 1, 9
    save_volume(tmp_path / "labels/a.npy", values)
    classes = {"dot": 1, "tube": 2}
    data = _data(tmp_path, ".npy", test=None, classes=classes, void=9)
    reader, samples = SampleReader(data), list_samples(data).train
    truths = [reader.truth(each, SIDES[1:]) for each in samples]
    assert [int(each.planes[0].sum()) for each in truths] == [0, 0, 1, 0, 1, 1]
    assert truths[3].valid is not None and not truths[3].valid.any()
    objects = _data(tmp_path, ".npy", test=None, masks={"label_map": "labels/{id}.npy"})
    truth = SampleReader(objects).truth(list_samples(objects).train[2], SIDES[1:])
    assert truth.instances is not None and set(np.unique(truth.instances)) == {0, 1, 2}
    by_class = _data(tmp_path, ".npy", test=None, masks="by/{class}/{id}.npy", classes=["x", "y"])
    save_volume(tmp_path / "by/x/a.npy", labels)
    truth = SampleReader(by_class).truth(list_samples(by_class).train[2], SIDES[1:])
    assert [int(each.sum()) for each in truth.planes] == [int(labels[2].sum()), 0]


def test_a_volume_a_band(tmp_path: Path) -> None:
    volume, labels = draw_volume(0)
    for number, name in enumerate(("t1", "t2")):
        save_volume(tmp_path / f"train/a/{name}.npy", volume + np.uint16(number))
    save_volume(tmp_path / "labels/a.npy", labels)
    changes = {"images": "train/{id}/{band}.npy", "bands": ["t1", "t2"], "test": None}
    data = _data(tmp_path, ".npy", **changes)
    sample = list_samples(data).train[4]
    assert sample.id == "a_0004"
    seen = SampleReader(data).image(sample)
    assert np.array_equal(seen[..., 1], volume[4] + 1) and np.array_equal(seen[..., 0], volume[4])
    save_volume(tmp_path / "train/a/t2.npy", volume[:5])
    assert all("t2.npy has 5 slice(s)" in each.problem for each in _records(data))


def test_changes_are_seen_and_copies_told(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=2, test=0)
    data = _data(tmp_path, test=None)
    catalog, source = list_samples(data), image_source(data)
    before = [stamp_of(each, "train", data, source) for each in catalog.train]
    os.utime(tmp_path / "labels/case1.tif", ns=(1, 1))
    after = [stamp_of(each, "train", data, source) for each in catalog.train]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True] * 6 + [False] * 6
    volume, _ = draw_volume(1)
    other, _ = draw_volume(0)
    volume[2], volume[5] = other[4], 0
    other[0] = 0
    save_volume(tmp_path / "train/case1.tif", volume)
    save_volume(tmp_path / "train/case0.tif", other)
    pictures = {each.id: each.picture for each in _records(data)}
    assert pictures["case1_0002"] == pictures["case0_0004"]
    assert len(set(pictures.values())) == 10
    assert pictures["case1_0005"].startswith("flat ") and pictures["case0_0000"].startswith("flat ")


def test_unreadable_volumes_are_listed_together_and_may_be_dropped(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=3, test=0)
    (tmp_path / "train/case0.tif").write_bytes(b"II*\0")
    (tmp_path / "train/case1.tif").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 volume\(s\) cannot be read(?s:.*)case0(?s:.*)case1"):
        list_samples(_data(tmp_path, test=None))
    kept = list_samples(_data(tmp_path, test=None, drop=["case0", "case1", "case2_0001", "x"]))
    assert [each.id for each in kept.train] == [f"case2_{number:04d}" for number in (0, 2, 3, 4, 5)]
    assert kept.dropped_in_vain == ("x",)


def test_a_folder_that_is_no_volume(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=1, test=0)
    (tmp_path / "series/a").mkdir(parents=True)
    data = _data(tmp_path, images="series/{id}", test=None)
    with pytest.raises(DataError, match="a is a folder with no file"):
        list_samples(data)
    (tmp_path / "series/a/1.txt").write_text("x")
    with pytest.raises(DataError, match=r"a is a folder with 1 file\(s\), none of them an image"):
        list_samples(data)


def test_sides_that_are_not_certain_are_asked_for(tmp_path: Path) -> None:
    save_volume(tmp_path / "train/a.npy", np.zeros((40, 48, 6), np.uint16))
    save_volume(tmp_path / "labels/a.npy", np.zeros((6, 40, 48), np.uint8))
    with pytest.raises(DataError, match="name them by axes: ZYX or YXZ"):
        list_samples(_data(tmp_path, ".npy", test=None))
    data = _data(tmp_path, ".npy", test=None, axes="YXZ")
    assert len(list_samples(data).train) == 6
    assert open_volume(tmp_path / "train/a.npy", data).shape == (6, 40, 48)


@pytest.mark.parametrize(
    ("name", "first", "number", "expected"),
    [
        ("{volume}_{slice:04d}", 0, 7, "v_1_0007"),
        ("{volume}_slice_{slice:04d}", 1, 7, "v_1_slice_0008"),
        ("{slice}-{volume}", 0, 12, "12-v_1"),
        ("{volume}.{slice:03d}", 0, 12345, "v_1.12345"),
    ],
)
def test_ids_of_slices_can_be_taken_apart(
    name: str, first: int, number: int, expected: str
) -> None:
    config = VolumeConfig(name=name, first=first)
    found = config.slice_id("v_1", number)
    assert found == expected
    volume, place = (re.search(each, found)[1] for each in config.patterns)
    assert volume == "v_1" and int(place) == number + first


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"volume": {"name": "{volume}"}}, "holds {volume} and {slice} once each"),
        ({"volume": {"name": "{volume}_{slice:x}"}}, "holds {volume} and {slice} once each"),
        ({"volume": {"name": "{volume.__class__}_{slice}"}}, "holds {volume} and {slice} once"),
        ({"volume": {"name": "{volume}{slice:04d}"}}, "needs more than digits between"),
        ({"volume": {"axis": "T"}}, "volume.axis"),
        ({"stack": {"of": "(a)"}}, "leave out of and position"),
        ({"stack": {"of": "(a)"}, "volume": None}, "stack needs of and position"),
        ({"bands": None}, "volume needs bands"),
        ({"reference": "refs/{id}.npy"}, "volume and reference do not go together"),
        ({"masks": {"annotations": "a.json"}}, "and no annotations"),
        ({"masks": {"label_map": "{id}.npy", "stack": "objects"}}, "are not objects"),
        ({"classes": {"a": "#ff0000"}}, "have numbers, and no colours"),
    ],
)
def test_keys_that_do_not_fit(tmp_path: Path, data: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("{", r"\{").replace("(", r"\(")):
        _data(tmp_path, **data)


def test_a_dicom_series_is_a_volume_in_the_order_of_its_positions(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    from tests.data.array_files.test_dicom import write

    for name in ("a", "b"):
        (tmp_path / "train" / name).mkdir(parents=True)
    volume, labels = draw_volume(0)
    save_volume(tmp_path / "labels/a.npy", labels)
    save_volume(tmp_path / "labels/b.npy", labels)
    for place, file in enumerate((3, 1, 5, 0, 4, 2)):
        for name in "ab":
            write(
                tmp_path / f"train/{name}/{file}.dcm",
                volume[place],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[0, 0, 2 * place],
                SeriesInstanceUID="1.2.3",
            )
    (tmp_path / "train/a/readme.txt").write_text("x")
    (tmp_path / "train/a/preview.png").write_bytes(b"x")
    data = _data(tmp_path, images="train/{id}", masks="labels/{id}.npy", test=None)
    samples = list_samples(data).train
    assert len(samples) == 12
    for number, sample in enumerate(samples[:6]):
        assert np.array_equal(SampleReader(data).image(sample)[..., 0], volume[number])
    records = _records(data)
    assert {each.problem for each in records} == {""}
    assert "no slices are left out: preview.png, readme.txt" in records[0].note
    (tmp_path / "train/b/1.dcm").unlink()
    assert all("slices are missing" in each.problem for each in _records(data)[6:])


def test_ignored_pixels_of_a_volume(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=2, test=0)
    ignored = np.zeros(SIDES, np.uint8)
    ignored[3, :7] = 1
    save_volume(tmp_path / "ignore/case1.tif", ignored)
    data = _data(tmp_path, test=None, ignore="ignore/{id}.tif", volume={"first": 1})
    reader, by_id = SampleReader(data), list_samples(data).by_id["train"]
    valid = reader.truth(by_id["case1_0004"], SIDES[1:]).valid
    assert valid is not None and not valid[:7].any() and valid[7:].all()
    assert reader.truth(by_id["case0_0004"], SIDES[1:]).valid is None
    assert {each.problem for each in _records(data)} == {""}
    source = image_source(data)
    before = stamp_of(by_id["case1_0004"], "train", data, source)
    os.utime(tmp_path / "ignore/case1.tif", ns=(1, 1))
    assert stamp_of(by_id["case1_0004"], "train", data, source) != before


def test_masks_of_slices_from_a_table(tmp_path: Path) -> None:
    draw_volumes(tmp_path, count=1, test=0)
    rows = [f"case0_{number:04d},{'1 3' * (number == 2)}" for number in range(6)]
    (tmp_path / "train.csv").write_text("\n".join(["id,rle", *rows]))
    masks = {"csv": "train.csv", "rle": "rle", "id": "id", "order": "row"}
    data = _data(tmp_path, test=None, masks=masks)
    reader, samples = SampleReader(data), list_samples(data).train
    sums = [int(reader.truth(each, SIDES[1:]).planes.sum()) for each in samples]
    assert sums == [0, 0, 3, 0, 0, 0]


def test_a_predicted_folder_of_volumes_and_one_that_is_a_volume(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    from tests.data.array_files.test_dicom import write

    for name in ("new/a.1", "new/b"):
        (tmp_path / name).mkdir(parents=True)
        for place in range(3):
            write(
                tmp_path / f"{name}/{9 - place}.dcm",
                np.full((4, 5), place, np.uint16),
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[0, 0, place],
                SeriesInstanceUID="1",
            )
    save_volume(tmp_path / "new/c.npy", np.zeros((2, 40, 48), np.uint8))
    data = _data(tmp_path)
    found = [each.id for each in list_images([str(tmp_path / "new")], data)]
    assert found == ["a.1_0000", "a.1_0001", "a.1_0002", "b_0000", "b_0001", "b_0002",
                     "c_0000", "c_0001"]  # fmt: skip
    samples = list_images([str(tmp_path / "new/b")], data)
    assert [SampleReader(data).image(each)[0, 0, 0] for each in samples] == [0, 1, 2]
    (tmp_path / "new/d.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"1 volume\(s\) cannot be read(?s:.*)d\.npy"):
        list_images([str(tmp_path / "new")], data)


def test_spacing_is_told_and_compared(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    draw_volumes(tmp_path, count=1, test=0, ending=".nii")
    for name, step in (("train/case1", 1.0), ("labels/case1", 2.0), ("test/case2", 3.0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        numbers = np.zeros((48, 40, 6), np.int16)
        numbers[3:5] = 1
        image = nibabel.Nifti1Image(numbers, np.diag([1, 1, step, 1]))
        nibabel.save(image, tmp_path / f"{name}.nii")
    data = _data(tmp_path, ".nii")
    facts = volume_facts(list_samples(data), data)
    assert [each.row for each in facts] == [
        ["train", "2", "6", "1 × 1 × 1"], ["test", "1", "6", "3 × 1 × 1"],
    ]  # fmt: skip
    (finding,) = spacing_problems(facts)
    assert "3 × 1 × 1, that of data.images 1 × 1 × 1" in finding.text
    notes = {each.id: each.note for each in _records(data) if "spacing" in each.note}
    assert sorted(notes) == [f"case1_{number:04d}" for number in range(6)]
    assert "spacing 2×1×1 differs from the image's, 1×1×1" in notes["case1_0000"]


def _draw_numbered(root: Path, first: int = 0) -> None:
    for part, volume in (("images", draw_volume(0)[0]), ("labels", draw_volume(0)[1])):
        folder = root / "train/kidney" / part
        folder.mkdir(parents=True)
        for number, plane in enumerate(volume, start=first):
            Image.fromarray(plane).save(folder / f"{number}.tif")


def test_a_folder_with_a_file_a_slice_is_a_volume(tmp_path: Path) -> None:
    _draw_numbered(tmp_path, first=6)  # 6 … 11: names do not sort as numbers do
    patterns = {"images": "train/{id}/images", "masks": "train/{id}/labels", "test": None}
    data = _data(tmp_path, **patterns)
    reader, samples = SampleReader(data), list_samples(data).train
    assert [each.id for each in samples] == [f"kidney_{number:04d}" for number in range(6)]
    volume, labels = draw_volume(0)
    for number, sample in enumerate(samples):
        assert np.array_equal(reader.image(sample)[..., 0], volume[number])
        assert np.array_equal(reader.truth(sample, SIDES[1:]).planes[0], labels[number])
    records = _records(data)
    assert {each.problem for each in records} == {""}
    assert "the first file has the number 6, and ids count from 0" in records[0].note
    (sample, *_) = list_images([str(tmp_path / "train/kidney/images")], data)
    assert sample.id == "images_0000"
    folder = tmp_path / "train/kidney/images"
    Image.new("L", (48, 40)).save(folder / "8.tif")
    told = [each.problem for each in _records(data)]
    assert "8.tif holds 40×48 uint8" in told[2] and told.count("") == 5
    (folder / "8.tif").unlink()
    assert all("between" in each.problem and "slices are missing" in each.problem
               for each in _records(data))  # fmt: skip
    (folder / "08.tif").write_bytes((folder / "7.tif").read_bytes())
    (folder / "8.tif").write_bytes((folder / "7.tif").read_bytes())
    assert all("have the same number" in each.problem for each in _records(data))


def test_files_of_one_volume_are_named_by_their_folder(tmp_path: Path) -> None:
    _draw_numbered(tmp_path)
    data = _data(tmp_path, images="train/{id}/images/*.tif", masks="train/{id}/labels", test=None)
    with pytest.raises(DataError, match=r"kidney: 6 files .* name the folder of a volume"):
        list_samples(data)


def test_two_arrays_of_one_file_are_told_apart_along_any_axis(tmp_path: Path) -> None:
    volume, labels = draw_volume(0)
    (tmp_path / "train").mkdir()
    np.savez(tmp_path / "train/a.npz", x=volume, y=labels)
    for axis in "ZYX":
        masks = {"label_map": "train/{id}.npz", "array": "y"}
        data = _data(tmp_path, ".npz", masks=masks, array="x", test=None, volume={"axis": axis})
        sample, reader = list_samples(data).train[3], SampleReader(data)
        image = reader.image(sample)
        side = "ZYX".index(axis)
        assert np.array_equal(image[..., 0], volume.take(3, side))
        truth = reader.truth(sample, image.shape[:2])
        assert np.array_equal(truth.planes[0], labels.take(3, side))


@pytest.mark.parametrize("axis", ["Z", "Y"])
def test_masks_with_a_file_a_slice_are_read_as_any_mask(tmp_path: Path, axis: str) -> None:
    _draw_numbered(tmp_path)
    folder, (_, labels) = tmp_path / "train/kidney/labels", draw_volume(0)
    for number, plane in enumerate(labels):
        (folder / f"{number}.tif").unlink()
        Image.fromarray(plane * np.uint8(255)).save(folder / f"{number}.jpg")
    patterns = {"images": "train/{id}/images", "masks": "train/{id}/labels", "test": None}
    data = _data(tmp_path, **patterns, volume={"axis": axis})
    reader, sample = SampleReader(data), list_samples(data).train[4]
    if axis == "Z":  # blurred: inside from half of white on
        truth = reader.truth(sample, SIDES[1:])
        assert (truth.planes[0] != labels[4]).mean() < 0.01 and "JPEG" in truth.notes[0]
    else:
        with pytest.raises(DataError, match="is a JPEG, which changes numbers"):
            reader.truth(sample, SIDES[::2])
    palette = Image.fromarray(labels[4], mode="P")
    palette.putpalette([0, 0, 0, 250, 20, 20])
    for number in range(6):
        (folder / f"{number}.jpg").unlink()
        palette.save(folder / f"{number}.png")
    if axis == "Z":
        truth = SampleReader(data).truth(sample, SIDES[1:])
        assert np.array_equal(truth.planes[0], labels[4])


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["slice_0001_266_266_1.50_1.50", "slice_0002_266_266_1.50_1.50"], [1, 2]),
        (["s2_09", "s2_10"], [9, 10]),
        (["3_s10", "1_s11", "2_s12"], [10, 11, 12]),
        (["0001a", "0002b"], [1, 2]),
    ],
)
def test_the_number_of_a_slice_is_the_last_that_differs(
    names: list[str], numbers: list[int]
) -> None:
    assert [number for number, _ in in_order([Path(f"{each}.png") for each in names])] == numbers
