"""Graph cut: the binary mask of least energy, whose boundary prefers the edges of the image."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ensemble.postprocessing.step import Tried
from pipeline.ensemble.postprocessing.view import Picture, log_odds

EXTRA = ("maxflow", "graphcut")
TRIED = Tried(candidates=(0.5, 2.0, 8.0, 32.0))
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Half of the eight, each with its other half across the pixel."""


def graph_cut(likely: NDArray[np.float32], picture: Picture, value: float) -> NDArray[np.bool_]:
    """The exact minimum for each plane; bool CHW.

    Y. Boykov, M.-P. Jolly, "Interactive Graph Cuts", ICCV 2001: a pixel costs the log-odds against
    its side, two of eight neighbours on different sides cost `value` times exp(-d² / 2 mean(d²)),
    divided by their distance, where d is the difference of their colours. Raises ImportError
    without PyMaxflow, which `Step.require_package` tells before.
    """
    weights = contrast_weights(picture)
    return np.stack([_cut(plane, weights, value) for plane in log_odds(likely)])


def contrast_weights(picture: Picture) -> list[NDArray[np.float64]]:
    """Of each pixel's edge to each of `_NEIGHBOURS`, HW 0..1; 0 where there is none."""
    colours = picture.astype(np.float64)
    squares = [_squared_difference(colours, *shift) for shift in _NEIGHBOURS]
    known = np.concatenate([each[~np.isnan(each)] for each in squares])
    mean = float(known.mean()) if known.size else 0.0
    return [
        np.nan_to_num(np.exp(-each / max(2 * mean, 1e-9)), nan=0.0) / np.hypot(*shift)
        for each, shift in zip(squares, _NEIGHBOURS, strict=True)
    ]


def _squared_difference(colours: NDArray[np.float64], down: int, right: int) -> NDArray[np.float64]:
    """To the pixel that far away; NaN beyond the edges."""
    height, width = colours.shape[:2]
    found = np.full((height, width), np.nan)
    first, last = max(0, -right), width - max(0, right)
    here = colours[: height - down, first:last]
    there = colours[down:, first + right : last + right]
    found[: height - down, first:last] = ((here - there) ** 2).sum(axis=2)
    return found


def _cut(
    odds: NDArray[np.float32], weights: list[NDArray[np.float64]], value: float
) -> NDArray[Any]:
    maxflow: Any = import_module(EXTRA[0])
    graph = maxflow.Graph[float]()
    nodes = graph.add_grid_nodes(odds.shape)
    for (down, right), weight in zip(_NEIGHBOURS, weights, strict=True):
        structure = np.zeros((3, 3))
        structure[1 + down, 1 + right] = 1
        graph.add_grid_edges(nodes, value * weight, structure=structure, symmetric=True)
    graph.add_grid_tedges(nodes, np.maximum(odds, 0), np.maximum(-odds, 0))
    graph.maxflow()
    return ~np.asarray(graph.get_grid_segments(nodes))  # True is the side of the sink
