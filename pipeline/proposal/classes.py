"""Classes, void and multiclass, from the values of some masks."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.proposal.findings import Alternative, Found
from pipeline.proposal.looks import Look

_VOID = 255
_GAP = 128  # classes are numbered from below here, where 255 is void
_MOST_CLASSES = 64
_BACKGROUND = 0.5  # share of the pixels that 0 has where it is no class
_MANY = 16  # values with gaps between them, which classes do not have
_OBJECTS = 3  # objects a mask, on average, that are numbered


@dataclass(frozen=True)
class Values:
    """The values of all masks that were looked at."""

    look: Look

    @property
    def above(self) -> list[int]:
        return sorted(value for value in self.look.pixels if value and value != self.void)

    @property
    def void(self) -> int | None:
        """255 beside small values."""
        inner = [value for value in self.look.pixels if 0 < value < _VOID]
        both = _VOID in self.look.pixels and bool(inner)
        return _VOID if both and max(inner) < _GAP and max(self.look.pixels) == _VOID else None

    @property
    def zero_share(self) -> float:
        """Share of 0 among the pixels that are not void."""
        counted = {value: n for value, n in self.look.pixels.items() if value != self.void}
        return counted.get(0, 0) / max(1, sum(counted.values()))

    @property
    def are_objects(self) -> bool:
        """True if values number objects: too many for classes, or 1..k, or many with gaps between
        them, with one area each.
        """
        filled = [[value for value in some if value] for some in self.look.values]
        filled = [some for some in filled if some]
        if not filled or len(self.above) < 2:
            return False
        if len(self.above) > _MOST_CLASSES or max(self.above) > _VOID:
            return True
        numbered = all(some == list(range(1, len(some) + 1)) for some in filled)
        counts = {len(some) for some in filled}
        total = sum(map(len, filled))
        single = self.look.pieces <= 1.1 * total
        scattered = _MANY < len(self.above) < max(self.above) / 2
        several = total > _OBJECTS * len(filled)
        return single and several and (scattered or (numbered and len(counts) > 1))


def propose_classes(look: Look, name: str) -> list[Found]:
    """`classes`, `multiclass` and `void` of masks with one file an image.

    name: of a single class.
    """
    values, seen = Values(look), _listed(sorted(look.pixels))
    if look.coloured:
        why = "masks are drawn in colours, which are not read: save each class as a gray value"
        return [Found("classes", [name], why, "guess")]
    if look.soft or len(values.above) < 2 or values.are_objects:
        return [_one_class(values, name, seen)]
    if values.void is not None and len(values.above) == 1:
        return [_one_class(values, name, seen), _void(values)]
    return _several(values, seen)


def _one_class(values: Values, name: str, seen: str) -> Found:
    if values.look.soft:
        return Found(
            "classes", [name], "masks have blurred borders: one class, from half of white on"
        )
    if values.are_objects:
        why = (
            f"values up to {max(values.above)} number the objects of one class: any but 0 is inside"
        )
        several = Alternative([f"class_{each}" for each in values.above[:9]], "if they are classes")
        few = len(values.above) < 10
        return Found("classes", [name], why, "likely", (several,) if few else ())
    return Found("classes", [name], f"masks hold {seen}: one class")


def _void(values: Values) -> Found:
    why = f"{_VOID} beside values up to {max(values.above)} mostly marks pixels that do not count"
    return Found("void", values.void, why, "likely")


def _several(values: Values, seen: str) -> list[Found]:
    above, void = values.above, values.void
    has_zero = 0 in values.look.pixels
    background = has_zero and void is None and values.zero_share >= _BACKGROUND
    named = {f"class_{value}": value for value in above}
    with_zero = {("background" if values.zero_share >= _BACKGROUND else "class_0"): 0, **named}
    why = f"masks hold {seen}; give the classes their names"
    found = []
    if background:
        share = f"0 covers {values.zero_share:.0%}, so it is taken for background"
        listed = list(named) if above == list(range(1, len(above) + 1)) else named
        more = (Alternative(with_zero, "with multiclass: true, if 0 is a class, too"),)
        found += [Found("classes", listed, f"{why}; {share}", "likely", more)]
        exclusive = Alternative(True, "with the background in classes: softmax, one class a pixel")
        found += [
            Found("multiclass", False, "each class has a map of its own", "guess", (exclusive,))
        ]
    else:
        found += [Found("classes", with_zero if has_zero else named, why, "likely")]
        other = Alternative(False, "if 0 is background: take it out of classes")
        reason = "every pixel has one of the values" if has_zero else "no pixel is 0"
        found += [Found("multiclass", True, reason, "likely", (other,) if has_zero else ())]
    return [*found, *([_void(values)] if void is not None else [])]


def _listed(values: list[int]) -> str:
    if not values:
        return "no values that could be read (damaged files, or very large ones)"
    if len(values) > 8:
        return f"{len(values)} values from {values[0]} to {values[-1]}"
    return " and ".join(filter(None, [", ".join(map(str, values[:-1])), str(values[-1])]))
