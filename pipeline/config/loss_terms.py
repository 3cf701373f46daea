"""What may be said with `train.loss`: its short forms, and what fits the classes of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import PlainSerializer

from pipeline.config.losses import AnyTerm, Ce, Focal, LossTerm, WeightedTerm
from pipeline.suggestions import did_you_mean, shortened

MOST_TERMS = 20
_EXAMPLE = "{name: tversky, alpha: 0.3, weight: 0.5}"


def written_out(loss: Any) -> Any:
    """The terms as a list of mappings with a name: `dice`, `[bce, dice]`, `{bce: 1, dice: 1}`.

    Raises ValueError for what is none of these.
    """
    if isinstance(loss, str) or (isinstance(loss, dict) and "name" in loss):
        loss = [loss]
    if isinstance(loss, dict):
        if blocks := [name for name, weight in loss.items() if isinstance(weight, dict | list)]:
            raise ValueError(
                f"{shortened(blocks[0])}: a mapping gives weights; parameters need a list, such as "
                f"[{_EXAMPLE}]"
            )
        loss = [{"name": name, "weight": weight} for name, weight in loss.items()]
    if not isinstance(loss, list | tuple):
        raise ValueError(f"must be a name, {{name: weight}}, or a list of names and of {_EXAMPLE}")
    if not 0 < len(loss) <= MOST_TERMS:
        raise ValueError(f"needs at least one loss, and at most {MOST_TERMS}")
    return [_term(each) for each in loss]


def _term(item: Any) -> Any:
    if isinstance(item, str):
        return {"name": item}
    if isinstance(item, LossTerm) or (isinstance(item, dict) and "name" in item):
        return item
    raise ValueError(f"{shortened(item)}: must be a name, or a mapping with one: {_EXAMPLE}")


def names_in(terms: Iterable[Any]) -> list[str]:
    """The names in what `written_out` gives, for those that are text; others are refused later."""
    names = [each["name"] if isinstance(each, dict) else each.name for each in terms]
    return [name for name in names if isinstance(name, str)]


def short_form(terms: Sequence[LossTerm]) -> dict[str, float] | list[dict[str, Any]]:
    """The terms as YAML may write them: name and weight where that says all, else a list.

    All ways to write the same terms have the same short form, and so the same fingerprint.
    """
    items = [term.model_dump(mode="json", exclude_defaults=True) for term in terms]
    weights = {term.name: term.weight for term in terms}
    if len(weights) == len(items) and all(item.keys() <= {"name", "weight"} for item in items):
        return weights
    return items


Terms = Annotated[tuple[AnyTerm, ...], PlainSerializer(short_form)]
"""Of a block: written as YAML in their short form, whichever way they were given."""


def repeated(terms: Iterable[LossTerm]) -> list[str]:
    """The names of terms that stand twice with the same parameters."""
    same = Counter((term.name, term.model_dump_json(exclude={"weight"})) for term in terms)
    return [name for (name, _), count in same.items() if count > 1]


def resolved(terms: Iterable[LossTerm], classes: Sequence[str]) -> tuple[LossTerm, ...]:
    """The terms with weights by class as a list in the order of `classes`."""
    return tuple(_resolved(term, classes) for term in terms)


def _resolved(term: LossTerm, classes: Sequence[str]) -> LossTerm:
    weights = getattr(term, "class_weights", None)
    if not isinstance(weights, dict):
        return term
    return term.model_copy(
        update={"class_weights": tuple(weights.get(name, 1.0) for name in classes)}
    )


def misfits(terms: Iterable[LossTerm], classes: Sequence[str], multiclass: bool) -> Iterator[str]:
    """What does not fit between the terms and the classes of the data."""
    for term in terms:
        if isinstance(term, Ce) and not multiclass:
            yield "ce is for exclusive classes (data.multiclass: true); use bce"
        if isinstance(term, Focal) and multiclass and term.alpha is not None:
            yield "alpha of focal is for classes that may overlap; use class_weights"
        if isinstance(term, WeightedTerm):
            yield from (f"{term.name}: class_weights {each}" for each in _unfit(term, classes))


def _unfit(term: WeightedTerm, classes: Sequence[str]) -> Iterator[str]:
    weights = term.class_weights
    if isinstance(weights, tuple) and len(weights) != len(classes):
        yield f"has {len(weights)} values for {len(classes)} classes ({', '.join(classes)})"
    if isinstance(weights, dict):
        for name in sorted(weights.keys() - set(classes)):
            yield f"names no class {name!r}{did_you_mean(name, classes)}"
        if not any(weights.get(name, 1.0) > 0 for name in classes):
            yield "sum to zero"
