"""What all shapes share: strict input, and documents that list problems."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from server.core.errors import InvalidInput
from server.core.text import clean_text

# What lies outside is a slip of the pen, and near the ends of the calendar a moment has no UTC.
MOMENT_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
MOMENT_MAX: Final = datetime(2101, 1, 1, tzinfo=UTC)


class Input(BaseModel):
    """What a client sends: nothing unknown, no silent conversion, and no NUL, which PostgreSQL cannot store."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: object) -> object:
        texts = value if isinstance(value, list | tuple) else (value,)
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise ValueError("This holds a NUL")
        return value


class Output(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(frozen=True)


def _line(value: str) -> str:
    try:
        return clean_text(value, what="This", length_min=0, length_max=1_000)
    except InvalidInput as error:
        raise ValueError(error.detail) from None


Line = Annotated[str, AfterValidator(_line)]
"""A text without control characters, in NFC and without outer blanks."""


def _bounded(value: datetime) -> datetime:
    if not MOMENT_MIN <= value < MOMENT_MAX:
        raise ValueError("Give a moment in the years 2000 to 2100")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_bounded)]
"""A moment with its offset, in the years 2000 to 2100."""


class FieldError(Output):
    """One thing wrong with one field, named by a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class Problem(Output):
    """Problem details (RFC 9457) with a stable code."""

    type: str = Field(examples=["/problems/not_found"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["not_found"])
    errors: list[FieldError] | None = None
