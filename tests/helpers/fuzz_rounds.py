"""How often a fuzz target is tried: a fixed number of seeds in `make test`, minutes in the slow."""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

SECONDS = float(os.environ.get("MASKMILL_FUZZ_SECONDS", "600"))
"""Of each slow target."""
Record = Callable[[str, object], None]
MOST_GROWTH_MB = 1500
"""Memory that no input of some kilobytes may cost."""


def some(count: int) -> Iterator[np.random.Generator]:
    """The same `count` generators each time."""
    yield from map(np.random.default_rng, range(count))


def for_minutes() -> Iterator[np.random.Generator]:
    """Generators of new seeds for `MASKMILL_FUZZ_SECONDS`."""
    yield from map(np.random.default_rng, seeds_for_minutes())


def seeds_for_minutes() -> Iterator[int]:
    """New seeds for `MASKMILL_FUZZ_SECONDS`, from MASKMILL_FUZZ_SEED (1,000,000) on."""
    until = time.monotonic() + SECONDS
    for seed in itertools.count(int(os.environ.get("MASKMILL_FUZZ_SEED", "1000000"))):
        if time.monotonic() >= until:
            return
        yield seed


def report(
    record: Record,
    target: Callable[[Iterator[np.random.Generator]], Counter[str]],
    rounds: Iterator[np.random.Generator],
) -> Counter[str]:
    """Run a target; its summary, which the tests' summary shows, says how often it ended how."""
    before = _peak_mb()
    ends = target(rounds)
    assert _peak_mb() - before < MOST_GROWTH_MB
    summarise(record, target.__name__, ends)
    return ends


def summarise(record: Record, target: str, ends: Counter[str]) -> None:
    """Show in the tests' summary how often a target ended how; record: `record_property`."""
    listed = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    record("fuzz", f"{target}: {sum(ends.values())} tried: {listed}")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """`data` with a few bytes changed, taken out, doubled, swapped or cut off."""
    result = bytearray(data)
    for _ in range(random.integers(1, 6)):
        start = int(random.integers(0, len(result) + 1))
        stop = min(len(result), start + int(random.integers(1, 24)))
        match random.integers(0, 6):
            case 0:
                result[start:stop] = random.bytes(stop - start)
            case 1:
                del result[start:stop]
            case 2:
                result[start:start] = result[start:stop]
            case 3 if start < len(result):
                result[start] ^= 1 << int(random.integers(0, 8))
            case 4 if random.random() < 0.3:
                del result[start:]
            case _:
                number = random.choice([0, 1, 255, 127, 128])
                result[start:stop] = bytes([number]) * (stop - start)
    return bytes(result)
