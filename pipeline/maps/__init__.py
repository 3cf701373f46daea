"""Probability maps on disk: quantised, checksummed, resumable."""

from pipeline.maps.accumulate import Accumulator
from pipeline.maps.files import Problem
from pipeline.maps.index import MapShape
from pipeline.maps.store import MapStore

__all__ = ["Accumulator", "MapShape", "MapStore", "Problem"]
