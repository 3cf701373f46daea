"""How often a fuzz target is tried: a fixed number of seeds in `make test`, minutes in the slow."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

SECONDS = float(os.environ.get("MASKMILL_FUZZ_SECONDS", "600"))
"""Of each slow target."""
MOST_GROWTH_MB = 1500
"""Memory that no input of some kilobytes may cost."""


def some(count: int) -> Iterator[np.random.Generator]:
    """The same `count` generators each time."""
    yield from map(np.random.default_rng, range(count))


def for_minutes() -> Iterator[np.random.Generator]:
    """Generators of new seeds for `MASKMILL_FUZZ_SECONDS`."""
    until, seed = time.monotonic() + SECONDS, 10**6
    while time.monotonic() < until:
        yield np.random.default_rng(seed)
        seed += 1


def report(
    capsys: pytest.CaptureFixture[str],
    target: Callable[[Iterator[np.random.Generator]], Counter[str]],
    rounds: Iterator[np.random.Generator],
) -> Counter[str]:
    """Run a target; say how often it ended in what way, also where the output is captured."""
    before = _peak_mb()
    ends = target(rounds)
    assert _peak_mb() - before < MOST_GROWTH_MB
    with capsys.disabled():
        listed = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
        sys.stdout.write(f"\nfuzz {target.__name__}: {sum(ends.values())} tried: {listed}\n")
    return ends


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
