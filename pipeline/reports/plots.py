"""The figures of a report, drawn with matplotlib's own objects: no global state, no screen.

Backgrounds are transparent and the ink is a middle gray, so that figures suit light and dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

Colour = str | tuple[float, ...]

INK = "#7d8590"
PALETTE = ("#3b82f6", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#06b6d4", "#ec4899", "#84a316")
SMALL = 8
_DASHES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")
_RAMP = "viridis"
_LEGEND_COLUMNS = 8


def learning_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]], panels: Mapping[str, Sequence[str]]
) -> Figure:
    """One panel a quantity over epochs; one colour a model, one line a member.

    histories: model -> a table a member with the column `epoch`. panels: title -> its columns, the
    first drawn solid, the next dashed; a column that a table lacks is left out. The last epoch,
    whose weights are taken, has a dot.
    """
    figure, axes = row_of_panels(list(panels))
    colours = {model: PALETTE[n % len(PALETTE)] for n, model in enumerate(histories)}
    for axis, columns in zip(axes, panels.values(), strict=True):
        axis.set_xlabel("epoch", color=INK, fontsize=SMALL)
        axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
        for model, tables in histories.items():
            for table in tables:
                _draw_history(axis, table, columns, colours[model])
        _explain_dashes(axis, columns)
    handles = [Line2D([], [], color=colour, label=model) for model, colour in colours.items()]
    _legend_below(figure, handles)
    return figure


def fold_health(folds: pd.DataFrame, coverage: pd.Series) -> Figure:
    """A figure that compares the folds: their images and groups, their strata, their coverage.

    folds: the fold table (id, group, stratum, fold). coverage: share of each image that any class
    covers, 0..1, indexed by id.
    """
    titles = ["images and groups", "strata", "coverage of each image"]
    figure, (sizes, strata, covers) = row_of_panels(titles)
    numbers = sorted(folds["fold"].unique())
    for axis in (sizes, strata, covers):
        axis.set_xticks(range(len(numbers)), [f"fold {number}" for number in numbers])
    _draw_sizes(sizes, folds)
    handles = _draw_strata(strata, folds)
    _draw_coverage(covers, folds.assign(coverage=folds["id"].map(coverage)))
    _legend_below(figure, handles)
    return figure


def row_of_panels(titles: Sequence[str]) -> tuple[Figure, list[Axes]]:
    # Fixed margins: measuring every label, as matplotlib's layouts do, takes as long as drawing.
    figure = Figure(figsize=(11, 3.6))
    figure.subplots_adjust(left=0.055, right=0.99, top=0.92, wspace=0.2)
    axes = [figure.add_subplot(1, len(titles), 1 + place) for place in range(len(titles))]
    for axis, title in zip(axes, titles, strict=True):
        plain_axis(axis, title)
    return figure, axes


def plain_axis(axis: Axes, title: str) -> None:
    """Give a panel its title and the look of all figures."""
    axis.set_title(title, color=INK, fontsize=10, loc="left")
    axis.tick_params(colors=INK, labelsize=SMALL, length=0)
    axis.grid(axis="y", color=INK, alpha=0.25, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.patch.set_visible(False)
    for name, spine in axis.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(INK)


def _legend_below(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    rows = -(-len(handles) // _LEGEND_COLUMNS)
    figure.subplots_adjust(bottom=0.16 + 0.06 * rows)
    figure.legend(
        handles=list(handles),
        loc="lower center",
        ncols=min(len(handles), _LEGEND_COLUMNS),
        frameon=False,
        labelcolor=INK,
        fontsize=SMALL,
    )


def _draw_history(axis: Axes, table: pd.DataFrame, columns: Sequence[str], colour: Colour) -> None:
    for column, dashes in zip(columns, _DASHES, strict=False):
        if column in table:
            seen = table.dropna(subset=[column])  # not every epoch is scored
            axis.plot(
                seen["epoch"], seen[column], dashes, color=colour, linewidth=1.1, alpha=0.85,
                marker="o", markersize=4, markevery=[-1],
            )  # fmt: skip


def _explain_dashes(axis: Axes, columns: Sequence[str]) -> None:
    if len(columns) > 1:
        lines = [
            Line2D([], [], color=INK, linestyle=dashes, label=column)
            for column, dashes in zip(columns, _DASHES, strict=False)
        ]
        axis.legend(handles=lines, frameon=False, labelcolor=INK, fontsize=SMALL)


def _draw_sizes(axis: Axes, folds: pd.DataFrame) -> None:
    by_fold = folds.groupby("fold")
    for shift, (name, counts, colour) in enumerate(
        (("images", by_fold.size(), PALETTE[0]), ("groups", by_fold["group"].nunique(), PALETTE[1]))
    ):
        places = np.arange(len(counts)) + 0.4 * shift - 0.2
        bars = axis.bar(places, counts, 0.36, color=colour, label=name)
        axis.bar_label(bars, color=INK, fontsize=SMALL, padding=1)
    axis.margins(y=0.2)
    axis.legend(frameon=False, labelcolor=INK, fontsize=SMALL, ncols=2, loc="upper right")


def _draw_strata(axis: Axes, folds: pd.DataFrame) -> list[Patch]:
    """Stacked shares; returns what explains the colours."""
    shares = pd.crosstab(folds["fold"], folds["stratum"], normalize="index")
    # Strata are often ordered (q1..q4) and can be many: a ramp says the one and bears the other.
    ramp = matplotlib.colormaps[_RAMP](np.linspace(0.15, 0.9, len(shares.columns)))
    bottom = np.zeros(len(shares))
    patches = []
    for stratum, colour in zip(shares.columns, ramp, strict=True):
        axis.bar(range(len(shares)), shares[stratum], 0.7, bottom=bottom, color=tuple(colour))
        bottom += shares[stratum].to_numpy()
        patches.append(Patch(color=tuple(colour), label=str(stratum)))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    return patches


def _draw_coverage(axis: Axes, folds: pd.DataFrame) -> None:
    groups = [group.dropna().to_numpy() for _, group in folds.groupby("fold")["coverage"]]
    line = {"color": INK}
    axis.boxplot(
        groups, positions=range(len(groups)), widths=0.5, manage_ticks=False, patch_artist=True,
        boxprops={"facecolor": PALETTE[0], "edgecolor": INK, "alpha": 0.55}, whiskerprops=line,
        capprops=line, medianprops={"color": PALETTE[1], "linewidth": 2},
        flierprops={"marker": ".", "markersize": 4, "markeredgecolor": INK},
    )  # fmt: skip
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set_ylim(bottom=0)
