"""QR codes as pictures, of a page or by themselves: the only place that knows segno."""

import io
from typing import Final

import segno

QUIET_MODULES: Final = 4  # ISO/IEC 18004: scanners want that much white around
DARK: Final = "#000"
LIGHT: Final = "#fff"  # also in a dark theme: many scanners read no inverted code


def qr_svg(text: str) -> bytes:
    """Give a QR code of a text (at most some hundred characters) as an SVG file."""
    written = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        written, kind="svg", border=QUIET_MODULES, dark=DARK, light=LIGHT, omitsize=True
    )
    return written.getvalue()


def qr_picture(text: str) -> str:
    """Give a QR code of a text (at most some hundred characters) as the address of an SVG, for an `img`."""
    made = segno.make(text, error="m", micro=False)
    return str(made.svg_data_uri(border=QUIET_MODULES, dark=DARK, light=LIGHT, omitsize=True))
