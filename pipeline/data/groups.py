"""Groups of images (a car, a patient) that must not be split between folds."""

from __future__ import annotations

import re
import signal
import threading
from collections import defaultdict
from pathlib import Path

from pipeline.config import DataConfig, GroupTable
from pipeline.config.volume import VolumeConfig
from pipeline.data.catalog import Catalog
from pipeline.data.listing import listed
from pipeline.data.row_keys import as_matched
from pipeline.data.stacks import Stacks
from pipeline.data.tables import read_table
from pipeline.errors import DataError

PATIENCE_S = 20.0


def groups_or_error(catalog: Catalog, data: DataConfig) -> dict[str, str] | DataError:
    """id → group of the training images, or the error, to be listed with other findings."""
    try:
        return groups_of([sample.id for sample in catalog.train], data)
    except DataError as error:
        return error


def groups_of(ids: list[str], data: DataConfig) -> dict[str, str]:
    """id → group; without `data.group` the image's stack or volume, or the image itself.

    DataError names ids with none.
    """
    if data.group is None and data.order is not None:
        return {each: place.stack for each, place in Stacks.of(ids, data.order).places.items()}
    if data.group is None:
        return {each: each for each in ids}
    if isinstance(data.group, GroupTable):
        return _groups_from_table(ids, data.root / data.group.csv, data.group, data.volume)
    found = _searched(data.group, ids)
    missing = [each for each, match in found.items() if match is None or match[1] is None]
    if missing:
        raise DataError(f"data.group: {data.group!r} matches no group in {listed(missing)}")
    return {each: str(match[1]) for each, match in found.items() if match}


def _searched(pattern: str, ids: list[str]) -> dict[str, re.Match[str] | None]:
    """id → match of the regex; DataError where matching takes too long.

    Some regexes, like `(a+)+$`, need twice as long for each letter. `re` lets signals interrupt
    it, and those reach the main thread alone: elsewhere the search is as long as it is.
    """

    def too_long(*_: object) -> None:
        raise DataError(
            f"data.group: matching {pattern!r} with {len(ids)} ids takes more than "
            f"{PATIENCE_S:g} s; avoid nested repeats such as (a+)+"
        )

    if threading.current_thread() is not threading.main_thread():
        return {each: re.search(pattern, each) for each in ids}
    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        return {each: re.search(pattern, each) for each in ids}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _groups_from_table(
    ids: list[str], path: Path, columns: GroupTable, volume: VolumeConfig | None
) -> dict[str, str]:
    """Rows are about images, or about the volumes whose slices they are."""
    table = read_table(path, (columns.id, columns.group))
    named: dict[str, set[str]] = defaultdict(set)
    for each, group in zip(table[columns.id], table[columns.group], strict=True):
        named[as_matched(each)].add(group.strip())
    keys = {each: as_matched(columns.key.replace("{id}", each)) for each in ids}
    if volume is not None and not named.keys() & keys.values():
        volumes = {each: volume.taken_apart(each)[0] for each in ids}
        keys = {each: as_matched(columns.key.replace("{id}", volumes[each])) for each in ids}
    missing = [each for each, key in keys.items() if named.get(key, {""}) == {""}]
    if missing:
        raise DataError(f"{path} names no group for {listed(missing)}")
    torn = [each for each, key in keys.items() if len(named[key]) > 1]
    if torn:
        raise DataError(f"{path} names several groups for {listed(torn)}")
    return {each: next(iter(named[key])) for each, key in keys.items()}
