"""`make bench`: the figures of RESULTS.md that do not need hours, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

QUICK = (
    "stages", "training", "losses", "auxiliary", "augmentation", "infer", "memory", "rle", "maps",
    "blend", "decoded", "graft_cost",
)  # fmt: skip


def main() -> None:
    for name in sys.argv[1:] or QUICK:
        print(f"\n== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
