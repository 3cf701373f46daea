"""Images that cannot be read, are duplicated or unusual; ids that mislead."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from pipeline.checks.finding import Finding
from pipeline.data.catalog import Catalog
from pipeline.data.inspection import FLAT, NEXT_NOTE, Record
from pipeline.data.listing import listed
from pipeline.data.names import oddities

_SHOWN = 5  # problems of one kind


def unreadable(records: Sequence[Record]) -> Iterator[Finding]:
    """The first few samples with each kind of problem in full, and the ids of the others."""
    kinds: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.problem:
            kinds[record.part, _kind(record)].append(record)
    for (part, _), alike in kinds.items():
        shown = alike if len(alike) == _SHOWN + 1 else alike[:_SHOWN]
        for record in shown:
            problem = record.problem.removeprefix(f"{record.id}: ")
            yield Finding("error", f"{part} {record.id}", problem)
        if more := [record.id for record in alike[len(shown) :]]:
            yield Finding("error", f"{part} {listed(more)}", "the same as above", len(more))


def _kind(record: Record) -> str:
    """The problem without what differs from sample to sample: its id, and numbers."""
    name = rf"(?<![A-Za-z]){re.escape(record.id)}(?![A-Za-z])"
    return re.sub(r"\d+", "0", re.sub(name, "", record.problem))


def identity_problems(catalog: Catalog, records: Sequence[Record]) -> Iterator[Finding]:
    """Ids that several files have, and images in train and in test."""
    for sample_id in catalog.duplicates:
        yield Finding("error", sample_id, "several images have this id; keep one of them")
    pictures = {(each.part, each.id): each.picture for each in records if each.picture}
    shared = [
        each
        for each in sorted(set(catalog.by_id["train"]) & set(catalog.by_id["test"]))
        if ("train", each) in pictures and ("test", each) in pictures  # others cannot be read
    ]
    same = [each for each in shared if pictures["train", each] == pictures["test", each]]
    if same:
        yield Finding(
            "error",
            "data.test",
            f"{len(same)} image(s) are in train and in test: {listed(same)}; "
            "fix the patterns, or list them in data.drop to train without them",
        )
    if len(shared) > len(same):
        others = [each for each in shared if each not in set(same)]
        yield Finding(
            "warning",
            "data.test",
            f"{len(others)} id(s) occur in train and in test with different images: "
            f"{listed(others)}",
        )


def odd_ids(catalog: Catalog) -> Iterator[Finding]:
    """Ids that tables and programs would misread."""
    for samples, key in ((catalog.train, "data.images"), (catalog.test, "data.test")):
        for text in oddities(sample.id for sample in samples):
            yield Finding("warning", key, f"ids: {text}")


def twins(records: Sequence[Record], groups: dict[str, str]) -> Iterator[Finding]:
    """The same image in two groups leaks from fold to fold; in train and test, to the test."""
    same: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.picture and not record.picture.startswith(FLAT):
            same[record.picture].append(record)
    for twins in same.values():
        train = [record.id for record in twins if record.part == "train"]
        test = [record.id for record in twins if record.part == "test"]
        if len({groups[each] for each in train if each in groups}) > 1:
            text = f"is the same image as {listed(train[1:])} in another group, so folds leak"
            yield Finding("warning", train[0], text)
        if train and set(test) - set(train):
            text = f"is the same image as {listed(test)} in test, so its ground truth is known"
            yield Finding("warning", train[0], text)


def oddities_of_images(records: Sequence[Record]) -> Iterator[Finding]:
    """Notes about images, each once with the ids that it concerns."""
    notes = Counter(note for record in records for note in record.note.split(NEXT_NOTE) if note)
    for note, count in sorted(notes.items()):
        ids = [record.id for record in records if note in record.note.split(NEXT_NOTE)]
        yield Finding("warning", f"{count} image(s)", f"{note}: {listed(ids, most=2)}")
