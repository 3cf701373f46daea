"""Every benchmark can be imported; `make lint` checks what it calls."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import benchmarks

NAMES = [module.name for module in pkgutil.iter_modules(benchmarks.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_imports_and_has_a_docstring(name: str) -> None:
    module = import_module(f"benchmarks.{name}")
    assert module.__doc__ and module.__doc__.strip()


def test_what_bench_runs_exists() -> None:
    from benchmarks.__main__ import QUICK

    assert set(QUICK) <= set(NAMES)
