"""Which of timm's networks can be grafted into which decoders; writes encoders.md beside this file.

    python -m benchmarks.encoders [--rows rows.jsonl]

First every family's smallest model is run forwards and backwards in each decoder at three sizes;
then every model's shapes are checked without computing. An hour or two on two cores; rows that
are in the file already are taken as they are, so a stopped sweep goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import timm
import torch

from benchmarks.encoder_survey import (
    DECODERS,
    OK,
    SIZES,
    Row,
    families,
    markdown,
    shape_verdict,
    survey,
)

TABLE = Path(__file__).with_suffix(".md")


def family_rows(store: Path) -> Iterator[Row]:
    """A row for every family; what was computed is kept in `store`."""
    known = {row.family: row for row in map(_row, _lines(store)) if row}
    for family, model in families():
        if family in known:
            yield known[family]
            continue
        row = survey(family, model)
        _append(store, asdict(row))
        yield row


def shape_failures(store: Path) -> Iterator[tuple[str, str]]:
    """Every timm model whose output has not the right shape, with the reason."""
    known = {
        str(line["shape_of"]): str(line["verdict"]) for line in _lines(store) if "shape_of" in line
    }
    for model in timm.list_models():
        if model not in known:
            known[model] = shape_verdict(model, DECODERS[0])
            _append(store, {"shape_of": model, "verdict": known[model]})
        if known[model] != OK:
            yield model, known[model]


def report(rows: list[Row], failures: list[tuple[str, str]]) -> str:
    """The whole page."""
    whole = sum(all(verdict == OK for verdict in row.verdicts) for row in rows)
    count = len(timm.list_models())
    sizes = ", ".join(f"{height}x{width}" for height, width in SIZES)
    lines = [
        "# Encoders",
        "",
        f"timm {timm.__version__}, torch {torch.__version__}. The smallest model of each of "
        f"timm's {len(rows)} model files, in {', '.join(DECODERS)}, forwards and backwards at "
        f"{sizes}: output of the input's size, finite gradient at the backbone's first and last "
        f"parameter. {whole} of {len(rows)} pass in all decoders.",
        "",
        "Reductions that are not listed are filled in (`pipeline/models/grafting/fill_levels.py`). "
        "Parameters and MACs (one image of 256x256, or of the next size that the network takes) "
        "are the encoder's alone, without what lies behind its last reduction.",
        "",
        *markdown(rows),
        "",
        f"Of all {count} models of timm, {count - len(failures)} build and give the right output "
        f"shape (in {DECODERS[0]}, 256x256, shapes only).",
        "",
        *(f"- `{model}`: {reason}" for model, reason in failures),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(line: dict[str, object]) -> Row | None:
    if "family" not in line:
        return None
    return Row(**{k: tuple(v) if isinstance(v, list) else v for k, v in line.items()})  # type: ignore[arg-type]


def _lines(store: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.read_text().splitlines()] if store.exists() else []


def _append(store: Path, content: dict[str, object]) -> None:
    with store.open("a") as file:
        file.write(json.dumps(content) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, default=Path("runs/encoders.jsonl"))
    store = parser.parse_args().rows
    store.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    started = time.monotonic()
    rows = []
    for row in family_rows(store):
        rows.append(row)
        print(f"{time.monotonic() - started:6.0f} s  {row.family:28} {row.model:36} {row.verdicts}")
    failures = list(shape_failures(store))
    TABLE.write_text(report(rows, failures))
    print(f"{TABLE}: {len(rows)} families, {len(failures)} models without the right shape")


if __name__ == "__main__":
    main()
