"""Each decoder as it is without options, in `tests/models/decoder_defaults.json`.

Trained weights and stored maps depend on it. `python -m tests.helpers.decoder_defaults` adds the
decoders that the file does not have yet; a recorded one is changed by hand alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from pipeline.models.decoders.parts import Features
from pipeline.models.decoders.registry import DECODERS, build_parts

RECORD = Path(__file__).parents[1] / "models" / "decoder_defaults.json"
_LEVELS, _CHANNELS = (2, 4, 8, 16, 32), (16, 24, 32, 48, 64)


def described(name: str) -> dict[str, str | float]:
    """The digest of the names and shapes of its tensors, and the mean size of random logits."""
    torch.manual_seed(0)
    stride = DECODERS[name].output_stride
    parts = build_parts(name, Features(_CHANNELS, stride), 2)
    generator = torch.Generator().manual_seed(1)
    features = [torch.rand(2, 3, 64, 64, generator=generator)]
    for level, channels in zip(_LEVELS, _CHANNELS, strict=True):
        side = 64 // min(level, stride)
        features.append(torch.rand(2, channels, side, side, generator=generator))
    tensors = {
        f"{part}.{key}": list(tensor.shape)
        for part in ("decoder", "head", "auxiliary")
        for key, tensor in (getattr(parts, part) or torch.nn.Identity()).state_dict().items()
    }
    with torch.inference_mode():
        logits = parts.head.eval()(parts.decoder.eval()(features))
    digest = hashlib.sha256(json.dumps(tensors).encode()).hexdigest()[:16]
    return {"tensors": digest, "logits": round(float(logits.double().abs().mean()), 6)}


def main() -> None:
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    new = {name: described(name) for name in DECODERS if name not in recorded}
    RECORD.write_text(json.dumps(recorded | new, indent=1) + "\n")


if __name__ == "__main__":
    main()
