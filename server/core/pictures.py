"""Pictures that people send, made harmless: the only place that knows Pillow.

What is kept of a file are its points. They are drawn into a new picture, so that nothing else of the file is in what is
stored: no EXIF with the place where it was taken, no comment, no second picture behind the first, no text that some
other program would read. How many points there are is told by the head of a file, and looked at before any are made: a
file of some kilobytes may stand for gigabytes.
"""

import asyncio
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from server.core.errors import FieldProblem, InvalidInput

MEDIA_TYPES: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
"""What is taken, by its media type and by Pillow's name for it."""
STORED_TYPE: Final = "image/jpeg"

POINTS_MAX: Final = 16_000_000
"""In one picture: what a telephone makes, and 64 MB while it is decoded."""
SIDE_MIN: Final = 32
SIDE_STORED_MAX: Final = 512
QUALITY: Final = 85  # of 100; 512 by 512 points come to some 60 kB
# Two at once: a server keeps its memory whatever number of managers send photos at one moment.
CONCURRENCY: Final = 2
# Telephones put several pictures into what is a JPEG to everybody else; the first of them is meant.
_AS_JPEG: Final = frozenset({"JPEG", "MPO"})
# Faces are above the middle of a photo of a person.
_CENTERING: Final = (0.5, 0.4)


class PictureRefused(InvalidInput):
    """A file that is no picture, or none that can be kept."""

    code = "picture_refused"
    title = "This picture cannot be kept"

    def __init__(self, detail: str = "") -> None:
        """Say what is wrong with the body that was sent."""
        super().__init__(detail, (FieldProblem("/", detail),))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as it is kept: a JPEG of `width` by `height` points, at most `SIDE_STORED_MAX` along a side."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The middle of a picture in few points and colours: the number of a colour for each point, row by row."""

    palette: tuple[tuple[int, int, int], ...]
    points: bytes


class Pictures:
    """Draws pictures anew, away from the event loop and never more than two at once."""

    def __init__(self) -> None:
        """Bound the memory used to two pictures."""
        self._free = asyncio.Semaphore(CONCURRENCY)

    async def draw(self, body: bytes, media_type: str, *, side: int, colours: int) -> tuple[Drawn, Mosaic]:
        """Draw what a file shows, and once more as a square of `side` points with at most so many colours.

        Raises:
            PictureRefused: it is no JPEG, PNG or WebP, not what it says it is, damaged, too large or too small.

        """
        async with self._free:
            return await asyncio.to_thread(_drawn, body, media_type, side, colours)


def _drawn(body: bytes, media_type: str, side: int, colours: int) -> tuple[Drawn, Mosaic]:
    try:
        with _opened(body, media_type) as image:
            _check_size(image.width, image.height)
            if image.format in _AS_JPEG:
                image.draft("RGB", (2 * SIDE_STORED_MAX, 2 * SIDE_STORED_MAX))  # as much as is needed, and no more
            clean = _points_of(image)
    except PictureRefused:
        raise
    except Exception:  # noqa: BLE001 - decoders of damaged files raise whatever they stumble over
        raise PictureRefused("The file is damaged: it ends too early, or says what cannot be.") from None
    out = BytesIO()
    clean.save(out, "JPEG", quality=QUALITY, optimize=True)
    return Drawn(out.getvalue(), clean.width, clean.height), _mosaic(clean, side, colours)


def _opened(body: bytes, media_type: str) -> Image.Image:
    """The head of the file is read here, and none of its points."""
    wanted = MEDIA_TYPES.get(media_type)
    if wanted is None:
        raise PictureRefused(f"Send one of {', '.join(MEDIA_TYPES)}, and say which in Content-Type.")
    try:
        image = Image.open(BytesIO(body), formats=tuple(MEDIA_TYPES.values()))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except Exception:  # noqa: BLE001 - as above
        raise PictureRefused("The file is no JPEG, PNG or WebP picture, or its beginning is damaged.") from None
    is_wanted = image.format in _AS_JPEG if wanted == "JPEG" else image.format == wanted
    if not is_wanted:
        raise PictureRefused(f"The file is not what its Content-Type says: it is no {media_type}.")
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > POINTS_MAX:
        raise _too_large()
    if min(width, height) < SIDE_MIN:
        raise PictureRefused(f"The picture is too small: each side has at least {SIDE_MIN} points.")


def _too_large() -> PictureRefused:
    return PictureRefused(f"The picture is too large: it has at most {POINTS_MAX // 1_000_000} million points.")


def _points_of(image: Image.Image) -> Image.Image:
    """The points alone, upright, without holes, and no more than are kept."""
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        seen_through = upright.convert("RGBA")
        flat = Image.new("RGB", seen_through.size, "white")
        flat.paste(seen_through, mask=seen_through.getchannel("A"))
    else:
        flat = upright.convert("RGB")
    flat.thumbnail((SIDE_STORED_MAX, SIDE_STORED_MAX), Image.Resampling.LANCZOS)
    # `info` of an image goes along through all of this, and into files: a new one has none.
    return Image.frombytes("RGB", flat.size, flat.tobytes())


def _mosaic(image: Image.Image, side: int, colours: int) -> Mosaic:
    square = ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS, centering=_CENTERING)
    few = square.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    points = few.tobytes()
    parts = few.getpalette() or []
    count = max(points) + 1
    palette = tuple((parts[3 * at], parts[3 * at + 1], parts[3 * at + 2]) for at in range(count))
    return Mosaic(palette, points)
