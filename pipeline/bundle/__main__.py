"""`python -m pipeline.bundle RUN SCRATCH …`: what `run.py` of a bundle starts."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.bundle.offline import OfflineRequest, submit_offline
from pipeline.console import ConsoleReporter
from pipeline.disk_space import disk_error
from pipeline.errors import MaskmillError


def main() -> int:
    """The exit code is 0, or 1 after an error; a submission is there as soon as the data is."""
    parser = argparse.ArgumentParser(prog="run.py")
    parser.add_argument("run", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float)
    parser.add_argument("--devices", default="")
    options = parser.parse_args()
    devices = tuple(name for name in options.devices.split(",") if name)
    reporter = ConsoleReporter()
    try:
        request = OfflineRequest(
            options.run, options.inputs, options.out, options.scratch, options.hours, devices
        )
        submit_offline(request, reporter)
    except MaskmillError as error:
        reporter.fail(str(error))
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        reporter.fail(str(disk_error(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
