"""Names of machines and of files."""

from __future__ import annotations

import socket

import pytest

from pipeline.host import host_name, slug
from pipeline.locks import signature
from pipeline.workspace import Workspace


def test_names_of_files_keep_their_letters() -> None:
    assert slug("größe 21.v1") == "größe-21.v1" != slug("grüße 21.v1")
    assert slug("../a/b") == "a-b" and slug("x\udcff/") == "x" and slug("…") == "unnamed"


def test_machines_that_share_a_disk_share_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of one machine must not wait for the GPU of that number of another one."""
    folders, signatures = set(), set()
    for name in ("box-a", "box/b", ""):
        monkeypatch.setenv("MASKMILL_HOST", name)
        host_name.cache_clear()
        folders.add(Workspace("x").locks.name)
        signatures.add(signature().rpartition(" ")[2])
    host_name.cache_clear()
    assert folders == signatures == {"box-a", "box-b", slug(socket.gethostname())}
