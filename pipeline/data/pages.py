"""Selects the image of a file; files with several full-size images are refused."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, TiffImagePlugin

_SUBFILE, _OLD_SUBFILE = 254, 255
_REDUCED_OR_MASK = 0b101
_MOST_PAGES = 64


class RefusedError(Exception):
    """Why a file is not read; the text follows its name in the message."""


def choose_page(image: Image.Image, data: bytes) -> int:
    """Seek the one image of full size and return how many reduced copies are beside it."""
    if not getattr(image, "is_animated", False):
        return 0
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _choose_tiff_page(image)
    if image.format == "MPO":
        return _previews(data)
    count = getattr(image, "n_frames", 2)
    raise RefusedError(f"contains {count} images (frames); save each as a file of its own")


def _choose_tiff_page(image: TiffImagePlugin.TiffImageFile) -> int:
    """Reduced copies and transparency masks, as pyramids have them, are no images of their own.

    The tags say which pages those are (TIFF 6.0, NewSubfileType; SubfileType of older files).
    """
    full = []
    page = 0
    while page < _MOST_PAGES:
        try:
            image.seek(page)
        except EOFError:
            break
        tags = image.tag_v2
        reduced = int(tags.get(_SUBFILE, 0)) & _REDUCED_OR_MASK
        if not reduced and tags.get(_OLD_SUBFILE) != 2:
            full.append(page)
        page += 1
    if len(full) != 1:
        count = f"{page} or more" if page == _MOST_PAGES else str(page)
        raise RefusedError(f"contains {count} pages; save each image as a file of its own")
    image.seek(full[0])
    return page - 1


def _previews(data: bytes) -> int:
    """Cameras put smaller copies beside a JPEG; one as large as the first is another image."""
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        first, count = image.size, getattr(image, "n_frames", 1)
        for number in range(1, min(count, _MOST_PAGES)):
            image.seek(number)
            if image.width * image.height >= first[0] * first[1]:
                raise RefusedError(
                    f"contains {count} images (MPO); save each image as a file of its own"
                )
    return count - 1
