"""Files of one band whose numbers are of several types: often another scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pipeline.checks.finding import Finding
from pipeline.config import DataConfig
from pipeline.data.catalog import Catalog, Sample
from pipeline.data.image_sources.band_images import BandImages
from pipeline.data.listing import listed
from pipeline.data.volumes import whole_file
from pipeline.errors import DataError

MOST_IMAGES = 2000
"""Of each part, evenly spread, whose headers are read."""
_REMEDY = "values are read as they are: see whether all have the same unit and scale"


def mixed_types(catalog: Catalog, data: DataConfig) -> Iterator[Finding]:
    """A warning for each part, and for train against test, where files hold several types of number
    in one place. Values are read as they are, so uint8 and uint16 are on one scale.
    """
    source = BandImages.of(data)
    if source is None:
        return
    usual: dict[str, list[str]] = {}
    for part, key, samples in (
        ("train", "data.images", catalog.train),
        ("test", "data.test", catalog.test),
    ):
        by_types = _by_types(samples, data, source)
        if not by_types:
            continue
        (most, _), *others = sorted(by_types.items(), key=lambda item: -len(item[1]))
        usual[part] = list(most)
        for types, ids in others:
            text = f"{len(ids)} image(s) hold {_shown(types)}, the others {_shown(most)}"
            yield Finding("warning", key, f"{text}: {listed(ids)}; {_REMEDY}")
    if len(usual) == len(("train", "test")) and usual["train"] != usual["test"]:
        text = f"most images hold {_shown(usual['test'])}, those of train {_shown(usual['train'])}"
        yield Finding("warning", "data.test", f"{text}; {_REMEDY}")


def _by_types(
    samples: tuple[Sample, ...], data: DataConfig, source: BandImages
) -> dict[tuple[str, ...], list[str]]:
    """Types of an image's files → ids; files that cannot be read are told elsewhere."""
    found, seen = defaultdict[tuple[str, ...], list[str]](list), set[Path]()
    for sample in samples[:: max(1, -(-len(samples) // MOST_IMAGES))]:
        path = whole_file(sample.image, data)
        if path in seen:
            continue
        seen.add(path)
        try:
            found[tuple(map(str, source.types(sample.image)))].append(sample.id)
        except DataError:
            continue
    return dict(found)


def _shown(types: tuple[str, ...] | list[str]) -> str:
    return types[0] if len(set(types)) == 1 else ", ".join(types)
