"""A disk that fills up: an error with the bytes needed and free, never a SIGBUS, nothing lost."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.choices import Codec
from pipeline.errors import ResourceError
from pipeline.maps import MapShape, MapStore
from tests.helpers import disks
from tests.helpers.small_stores import forked

SHAPES = [MapShape(str(i), 512, 512) for i in range(8)]  # 2 MiB of uint8


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """1 MiB."""
    with disks.small_disk(tmp_path / "disk", "1m") as folder:
        yield folder


def create(folder: Path, shapes: list[MapShape] = SHAPES, codec: Codec = "raw") -> MapStore:
    return MapStore.create(folder, shapes, ["a"], fingerprint="f", codec=codec)


def noise(id: str) -> np.ndarray:
    return np.random.default_rng(int(id)).random((1, 512, 512), dtype=np.float32)


def test_raw_space_is_refused_before_anything_is_written(small_disk: Path) -> None:
    with pytest.raises(ResourceError, match=r"maps.npy needs 2,097,280 bytes, and [\d,]+ are free"):
        create(small_disk / "maps")
    assert not list((small_disk / "maps").glob("maps.*"))
    store = create(small_disk / "maps", SHAPES[:2])  # what fits has room again
    store.write({"0": noise("0"), "1": noise("1")})
    assert store.is_complete


def test_raw_space_that_was_promised_is_kept(small_disk: Path) -> None:
    store = create(small_disk / "maps", SHAPES[:3])
    disks.fill_up(small_disk)
    store.write({id: noise(id) for id in ("0", "1", "2")})
    assert list(store.verify()) == []


def test_compressed_maps_fill_the_disk_and_go_on(small_disk: Path) -> None:
    store = create(small_disk / "maps", codec="blosc2")
    with pytest.raises(ResourceError, match=r"maps.blosc2 needs .* make room"):
        for id in store.ids:
            store.write({id: noise(id)})
    done = [id for id in store.ids if id not in store.pending()]
    assert 0 < len(done) < len(SHAPES)
    assert {problem.reason for problem in store.verify()} == {"missing"}
    disks.resize(small_disk, "4m")
    resumed = create(small_disk / "maps", codec="blosc2")
    assert [id for id in resumed.ids if id not in resumed.pending()] == done
    resumed.write({id: noise(id) for id in resumed.pending()})
    assert list(resumed.verify()) == []


def test_a_limit_on_file_size_is_the_same_error(tmp_path: Path) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
        with pytest.raises(ResourceError, match=r"needs 2,097,280 bytes.*File too large"):
            create(tmp_path / "maps")
        assert not list((tmp_path / "maps").glob("maps.*"))

    process = forked(work)
    process.join()
    assert process.exitcode == 0
