"""npy and npz are read as `np.load` reads them, where it is certain what their sides are."""

from __future__ import annotations

import pickle
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.data.array_files import numpy_files, whole_arrays
from pipeline.data.array_files.registry import is_array_file, open_array
from pipeline.errors import DataError

RANDOM = np.random.default_rng(0)
SIDES = {"Z": 6, "Y": 45, "X": 37, "C": 5}
ORDERS = ("YX", "XY", "YXC", "CYX", "ZYX", "XYZ", "ZYXC", "CZYX")


def numbers(order: str, dtype: str = "u2") -> NDArray[Any]:
    return RANDOM.integers(0, 200, [SIDES[letter] for letter in order]).astype(dtype)


def saved(path: Path, values: NDArray[Any]) -> Path:
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        np.savez_compressed(path, only=values)
    return path


def expected(values: NDArray[Any], order: str, plane: int) -> NDArray[Any]:
    found = np.einsum(
        f"{order.lower()}->{''.join(c for c in 'ZYXC' if c in order).lower()}", values
    )
    return found[plane] if "Z" in order else found


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("memory", ["C", "F"])
@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_sides_is_read(
    order: str, memory: str, suffix: str, large: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if large:
        monkeypatch.setattr(numpy_files, "MOST_KEPT", 0)
        monkeypatch.setattr(whole_arrays, "MOST_KEPT", 0)
    values = np.asarray(numbers(order, ">f4"), order=memory)  # type: ignore[call-overload]
    found = open_array(saved(tmp_path / f"a{suffix}", values), axes=order)
    assert found.axes == "".join(letter for letter in "ZYXC" if letter in order)
    assert found.dtype == np.dtype("=f4") and pickle.loads(pickle.dumps(found)) == found
    for plane in range(found.planes):
        whole = expected(values, order, plane)
        seen = found.read(plane=plane)
        assert seen.flags.writeable and seen.flags.c_contiguous and np.array_equal(seen, whole)
        assert np.array_equal(found.read(slice(11, 30), plane), whole[11:30])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.sampled_from(ORDERS),
    suffix=st.sampled_from([".npy", ".npz"]),
    cuts=st.lists(st.integers(0, 45), max_size=4).map(sorted),
)
def test_rows_in_pieces_are_the_whole(
    order: str, suffix: str, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{order}{suffix}"
    if not path.exists():
        saved(path, numbers(order))
    found = open_array(path, axes=order)
    plane = found.planes - 1
    pieces = [found.read(slice(*each), plane) for each in pairwise([0, *cuts, 45])]
    assert np.array_equal(np.concatenate(pieces), found.read(plane=plane))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((50, 60), "YX"), ((50, 60, 7), "YXC"), ((7, 50, 60), "YXC"), ((50, 60, 1), "YXC"),
     ((1, 50, 60, 3), "YXC"), ((33, 34, 32), "YXC")],
)  # fmt: skip
def test_sides_that_are_certain(shape: tuple[int, ...], axes: str, tmp_path: Path) -> None:
    assert open_array(saved(tmp_path / "a.npy", np.zeros(shape))).axes == axes


@pytest.mark.parametrize("shape", [(40, 50, 60), (7, 8, 7), (3, 4, 50, 60), (32, 32, 32)])
def test_sides_that_are_not_certain_are_asked_for(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(DataError, match=r"a\.npy holds an array of .* name them by axes"):
        open_array(path)
    for wrong in ("YX", "ZYXCZ", "ZZYX", "zyx", "ABC", "_YX"):
        with pytest.raises(DataError, match=r"a\.npy .*axes"):
            open_array(path, axes=wrong)


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", "f2", "f8", ">u4"])
def test_types_are_kept_or_widened(dtype: str, tmp_path: Path) -> None:
    values = RANDOM.integers(0, 2, (20, 30)).astype(dtype)
    found = open_array(saved(tmp_path / "a.npy", values))
    kept = {"?": "u1", "i8": "f8", "f2": "f4"}.get(dtype, dtype.lstrip(">"))
    assert found.dtype == np.dtype(kept) and np.array_equal(found.read(), values)


def test_nan_and_infinities_are_kept(tmp_path: Path) -> None:
    values = np.array([[np.nan, np.inf], [-np.inf, 0]], np.float32)
    found = open_array(saved(tmp_path / "a.npy", values)).read()
    assert np.array_equal(found, values, equal_nan=True)


class Trap:
    def __reduce__(self) -> Any:
        raise AssertionError("unpickled")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_objects_are_never_unpickled(suffix: str, tmp_path: Path) -> None:
    path = saved(tmp_path / f"a{suffix}", np.array([[1, {}], [2, 3]], dtype=object))
    with pytest.raises(DataError, match=r"a\.np. holds Python objects"):
        open_array(path)


@pytest.mark.parametrize(
    ("values", "reason"),
    [(np.zeros((3, 4), np.complex64), "complex"), (np.zeros((0, 4)), "no pixels"),
     (np.zeros((4, 4), "M8[s]"), "no numbers"), (np.zeros((4, 4), "U3"), "no numbers"),
     (np.zeros((4, 4), [("a", "u1")]), "no numbers"), (np.float32(3), "no image"),
     (np.zeros(4), "no image")],
)  # fmt: skip
def test_what_is_no_image_is_refused(values: Any, reason: str, tmp_path: Path) -> None:
    for suffix in (".npy", ".npz"):
        with pytest.raises(DataError, match=rf"a\.np. .*{reason}"):
            open_array(saved(tmp_path / f"a{suffix}", values))


def test_one_of_several_arrays_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, image=np.ones((20, 30)), mask=np.zeros((20, 30)))
    with pytest.raises(DataError, match=r"a\.npz contains 2 arrays \(image, mask\); .* by key"):
        open_array(path)
    with pytest.raises(DataError, match=r"a\.npz contains no array 'x'; it has image, mask"):
        open_array(path, key="x")
    assert (
        open_array(path, key="image").read().all() and not open_array(path, key="mask").read().any()
    )
    (tmp_path / "b.npz").write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"b\.npz"):
        open_array(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        file.writestr("a.txt", "a")
    with pytest.raises(DataError, match=r"c\.zip contains no array"):
        open_array(tmp_path / "c.zip")


def test_files_that_end_too_early(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", np.ones((20, 30)))
    data = path.read_bytes()
    found = open_array(path)
    for length in (3, 8, 60, 200, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"a\.npy"):
            open_array(path)
        with pytest.raises(DataError, match=r"a\.npy"):
            found.read()


def test_a_flipped_bit_in_an_npz_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, only=np.ones((20, 30)))
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npz cannot be decoded \(Bad CRC"):
        open_array(path).read()


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, only=np.zeros((3000, 5000), np.uint8))
    assert path.stat().st_size < 10**5
    found = open_array(path)
    monkeypatch.setattr("pipeline.data.decoding_memory._SURELY_FIT", 10**6)
    monkeypatch.setattr("pipeline.data.decoding_memory.available_bytes", lambda: 10**7)
    with pytest.raises(DataError, match=r"a\.npz takes 0\.0 GB to read; 0\.0 GB"):
        found.read(slice(0, 1))


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(1000))
    with pytest.raises(DataError, match=r"a\.npy is cut off"):
        open_array(tmp_path / "a.npy")


def test_names_and_contents_are_recognised(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((3, 4)))
    (tmp_path / "a.npy").rename(tmp_path / "a.png")
    assert is_array_file(tmp_path / "a.png") and is_array_file(tmp_path / "absent.npz")
    assert not is_array_file(tmp_path / "absent.png")
    assert open_array(tmp_path / "a.png").shape == (3, 4)
