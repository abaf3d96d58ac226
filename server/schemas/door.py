"""Shapes of what opens the door of a desk: PINs, family codes, and the keys to check them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.schemas.base import Input, Output
from sync.family_code import CODE_CHARACTERS
from sync.pins import PIN_DIGITS_MAX


class PinIn(Input):
    """Six to twelve digits that nobody else would think of."""

    pin: Annotated[str, Field(max_length=PIN_DIGITS_MAX, pattern=r"^[0-9]*$", examples=["839204"])]


class PinOut(Output):
    """Since when the person has this PIN; the PIN itself is never shown again."""

    person_id: str
    set_at: datetime


class FamilyCodeIn(Input):
    """For how many days the code is good."""

    days: Annotated[int, Field(ge=1, le=400)] = 90


class FamilyCodeOut(Output):
    """The text to show as a QR code (alphanumeric mode), and until when it opens anything."""

    code: Annotated[str, Field(min_length=CODE_CHARACTERS, max_length=CODE_CHARACTERS)]
    expires_at: datetime


class MyFamilyCodeOut(FamilyCodeOut):
    """The code of mine at a centre, and the address of its picture (SVG) below the API."""

    center_id: str
    center_name: str
    qr: str


class MyFamilyCodeList(Output):
    """My codes, by centre."""

    items: list[MyFamilyCodeOut]
    next_cursor: str


class DoorKeysOut(Output):
    """What a desk checks PINs and family codes with; 32 bytes each in base64url without padding."""

    pin_pepper: str
    family_key: str
