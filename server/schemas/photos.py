"""Shapes of photos; the photo itself travels as what it is."""

from datetime import datetime

from pydantic import Field

from server.schemas.base import Output


class PhotoOut(Output):
    """A photo that is kept, in points; `bytes` is its size as it is sent."""

    width: int
    height: int
    bytes: int = Field(examples=[48_211])
    set_at: datetime
    etag: str
