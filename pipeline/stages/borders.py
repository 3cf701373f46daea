"""borders: the offset of predicted boundaries from mask boundaries, on out-of-fold maps."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import pandas as pd

from pipeline.atomic_files import write_atomic
from pipeline.boundaries import (
    Border,
    BorderFit,
    border_distances,
    fit_borders,
    repair,
    signed_level,
)
from pipeline.ensemble.members import reader_of
from pipeline.ensemble.recipe import Recipe
from pipeline.errors import ConfigError
from pipeline.stages import align, check, ensemble, infer
from pipeline.stages.context import StageContext
from pipeline.stages.ensemble import Ensembled

BLEND, ALL = "blend", "all"
Borders = Mapping[tuple[str, str], Sequence[Border]]


def run(context: StageContext, chosen: str | None = None) -> pd.DataFrame:
    """A row a model and class, and for the blend; `chosen`: just these, comma-separated.

    With several classes there is a row of all of them, too. Each model is taken at its own best
    threshold, the blend at its own; post-processing is left out.
    """
    ensembled = ensemble.run(context)
    started = time.monotonic()
    recipes = _recipes(context, ensembled, chosen)
    fits = {key: fit_borders(found) for key, found in _borders(context, recipes).items()}
    table = pd.DataFrame([_row(*key, fit) for key, fit in fits.items()])
    path = context.workspace.borders
    write_atomic(path, table.to_csv(index=False))
    title = "offset of predicted boundaries from mask boundaries, pixels (± standard error)"
    shown = [_shown(*key, fit) for key, fit in fits.items()]
    context.reporter.table(title, list(shown[0]), [list(row.values()) for row in shown])
    _say_repair(context, next(iter(recipes)), fits)
    seconds = time.monotonic() - started
    context.reporter.say(f"borders: {len(fits)} row(s) → {path} in {seconds:.1f} s")
    return table


def _recipes(context: StageContext, ensembled: Ensembled, chosen: str | None) -> dict[str, Recipe]:
    """The recipes by name: the blend first, then each model by itself."""
    whole = replace(ensembled.recipe, steps=())
    recipes = {BLEND: whole}
    for name, facts in ensembled.facts["models"].items():
        weights = {each: float(each == name) for each in whole.names}
        thresholds = tuple(facts["thresholds"].values())
        recipes[name] = replace(whole, weights=weights, thresholds=thresholds)
    if chosen is None:
        return recipes
    names = [name.strip() for name in chosen.split(",")]
    unknown = [name for name in names if name not in recipes]
    if unknown:
        raise ConfigError(f"MODEL={chosen}: no model {unknown[0]!r}; there are {list(recipes)}")
    return {name: recipes[name] for name in names}


def _borders(context: StageContext, recipes: Mapping[str, Recipe]) -> Borders:
    """(model, class) → the boundaries of every out-of-fold image."""
    survey, inferred, reader = check.run(context), infer.run(context), align.run(context)
    read, samples = reader_of(inferred.oof), survey.catalog.by_id["train"]
    ids = next(iter(inferred.oof.values())).ids
    classes = context.experiment.data.class_names
    found: dict[tuple[str, str], list[Border]] = defaultdict(list)
    with context.reporter.track("borders", len(ids)) as advance:
        for each in ids:
            truth, maps = reader.truth(samples[each], survey.sizes["train", each]), read(each)
            for name, recipe in recipes.items():
                levels = signed_level(recipe.blend(maps), recipe.thresholds, recipe.multiclass)
                for label, plane, level in zip(classes, truth.planes, levels, strict=True):
                    border = border_distances(plane > 0, level, truth.valid)
                    for row in [label] if len(classes) == 1 else [label, ALL]:
                        found[name, row].append(border)
            advance(1)
    return found


def _row(model: str, label: str, fit: BorderFit | None) -> dict[str, object]:
    facts = {} if fit is None else asdict(fit)
    errors, explained = facts.pop("errors", {}), facts.pop("explained", {})
    return {
        "model": model,
        "class": label,
        **facts,
        **{f"{name}_error": error for name, error in errors.items()},
        **{f"{name}_explains": share for name, share in explained.items()},
    }


def _shown(model: str, label: str, fit: BorderFit | None) -> dict[str, str]:
    cells = dict(_cells(fit)) if fit else {}
    names = ("mean", "left", "right", "up", "down", "dx", "dy", "dilation", "scale", "matched")
    return {"model": model, "class": label, **{name: cells.get(name, "") for name in names}}


def _cells(fit: BorderFit) -> Iterator[tuple[str, str]]:
    for name in ("mean", "dx", "dy", "dilation"):
        yield name, f"{getattr(fit, name):+.2f} ± {_error(fit.errors[name], 2)}"
    for name in ("left", "right", "up", "down"):
        yield name, f"{getattr(fit, name):+.2f}"
    yield "scale", f"{fit.scale:.4f} ± {_error(fit.errors['scale'], 4)}"
    yield "matched", f"{fit.matched:.1%}"


def _error(value: float, digits: int) -> str:
    return "?" if math.isnan(value) else f"{value:.{digits}f}"


def _say_repair(
    context: StageContext, model: str, fits: Mapping[tuple[str, str], BorderFit | None]
) -> None:
    """The setting to write into the experiment if the offset of the first row is significant."""
    fit = fits.get((model, ALL)) or fits[model, context.experiment.data.class_names[0]]
    sizes = list(check.run(context).sizes.values())
    reach = sum(max(size) for size in sizes) / len(sizes) / 2
    frame = repair(fit, context.experiment.data.frame, reach) if fit else None
    if frame is None:
        context.reporter.say(f"{model}: no significant shift or scale of 0.1 px or more")
        return
    setting = f"data.frame={{scale: {frame.scale}, shift: [{frame.shift[0]}, {frame.shift[1]}]}}"
    context.reporter.say(
        f"{model}: {setting} aligns the images with the masks; train with it and measure again"
    )
