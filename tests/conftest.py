"""No test may need the network, nor see that `make test` runs it."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("suite")

# A make that a test starts would take itself for a part of the make that runs the tests, and
# report its failures in other words.
for _name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(_name, None)

# Tests run beside each other, on tensors too small to be shared out between cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# They take minutes: begun last, they would run alone while the other cores wait.
_LONG = ("test_jobs_with_workers.py", "test_kill.py", "test_accumulate.py", "test_pipeline.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; the order is otherwise kept."""
    items.sort(key=lambda item: item.path.name not in _LONG)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List what the fuzz targets tried and what was measured, wherever they ran."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name in ("fuzz", "figure") and report.when == "call":
                    terminalreporter.write_line(f"{name} {text}")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves the machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise OSError(101, f"the tests have no network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
