"""Photos as people send them: made of two colours, with what a telephone adds."""

from io import BytesIO
from typing import Any, Final

from PIL import Image

CANARY: Final = b"CANARY-51.4779N-0.0015W"
"""Where a photo was taken: in its EXIF, in a comment and behind its end."""
MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def image(width: int = 96, height: int = 64, mode: str = "RGB", left: str = "red") -> Image.Image:
    """One colour on the left, blue on the right."""
    made = Image.new("RGB", (width, height), left)
    made.paste("blue", (width // 2, 0, width, height))
    return made.convert(mode)


def file_of(made: Image.Image, kind: str = "JPEG", **more: Any) -> bytes:
    """A file of this kind, by Pillow's name for it."""
    out = BytesIO()
    made.save(out, kind, **more)
    return out.getvalue()


def telephone_photo(left: str = "red") -> bytes:
    """A JPEG with `CANARY` in three places."""
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    exif.get_ifd(0x8825)[1] = "N"
    return file_of(image(left=left), exif=exif, comment=CANARY) + b"PK\x03\x04" + CANARY
