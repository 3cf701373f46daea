"""The closed choices of an experiment, each defined once; code that uses one imports it here."""

from __future__ import annotations

from typing import Literal

RleOrder = Literal["row", "column"]
"""How pixels are counted: along rows (C order), or down columns (Fortran order)."""
MapDtype = Literal["uint8", "uint16", "float16"]
"""How a probability is stored."""
Codec = Literal["raw", "blosc2"]
"""How the bytes of a stored map are compressed."""
Mean = Literal["arithmetic", "geometric", "logit", "rank"]
"""The averaged quantity: probabilities, their logarithms, their logits, or their ranks."""
Precision = Literal["fp32", "bf16", "fp16"]
"""The number format that a network computes in."""
PrecisionWish = Literal["auto", "fp32", "bf16", "fp16"]
"""auto: what the device computes fast and well."""
TileWeights = Literal["gaussian", "pyramid", "uniform"]
"""How much the pixels of a tile count where tiles overlap."""
Motion = Literal["translation", "euclidean", "affine", "homography"]
"""Families of planar warps, each a part of the next."""
CacheWish = int | Literal["auto", "disk", "memory", "off"]
"""Where decoded samples are kept; a number: MiB of memory."""
AnnotationFormat = Literal["coco", "labelme", "via", "geojson", "yolo", "jsonl", "deepfashion2"]
"""Whose files of polygons are read."""
CellEncoding = Literal["runs", "json", "coco", "coco_zlib"]
"""How a mask is written in a cell of a submission."""
MaskDtype = Literal["uint8", "uint16", "int32", "float32"]
"""The number type of submitted masks."""
Pack = Literal["folder", "zip", "tar"]
"""What holds the files of a submission."""
PixelLayout = Literal["wide", "list", "long"]
"""How labels of pixels stand in a table."""
