"""Writes a proposal as YAML: above every key a line that says why, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from pipeline.proposal.findings import Found
from pipeline.proposal.proposal import Proposal

_HEAD = """\
# yaml-language-server: $schema=../docs/experiment.schema.json
# Proposed by `init`: {summary}.
# Above each key: how sure it is (sure, likely, guess, default), and why. Lines like `# key: value`
# are alternatives. Change what is wrong, then: {check}
"""
_MODELS = """\
# default: fast, standard or strong: how long and at which rate is trained (docs/training.md)
recipe: standard
models:
  # default: small networks whose pretrained weights come with a package; larger: docs/models.md
  unet: {decoder: unet, encoder: tf_efficientnet_lite0}
  fpn: {decoder: fpn, encoder: tf_efficientnet_lite0}
"""
_MORE_OF_TRAIN = "  batch: 8\n"


def as_yaml(proposal: Proposal, name: str, check: str) -> str:
    """The text of the experiment file. check: the command that checks it."""
    pieces = [
        _HEAD.format(summary=_line(proposal.summary), check=_line(check)),
        f"name: {as_text(name)}\n",
    ]
    for block, found in proposal.blocks.items():
        if block == "train":
            pieces.append(_MODELS)
        if block:
            pieces.append(f"{block}:\n")
        pieces += [f"{line}\n" for each in found for line in _lines(each, "  " if block else "")]
        if block == "train":
            pieces.append(_MORE_OF_TRAIN)
    pieces += [f"# {_line(note)}\n" for note in proposal.notes]
    return "".join(pieces)


def _lines(found: Found, indent: str) -> Iterator[str]:
    yield f"{indent}# {found.sureness}: {_line(found.why)}"
    if found.is_said:
        yield f"{indent}{found.key}: {as_text(found.value)}"
    for each in found.alternatives:
        yield f"{indent}# {found.key}: {as_text(each.value)}   # {_line(each.when)}"


def as_text(value: Any) -> str:
    """A value on one line of YAML."""
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _line(text: str) -> str:
    """A comment cannot hold line breaks, which names of files may have."""
    return "".join(each if each.isprintable() else "?" for each in text)
