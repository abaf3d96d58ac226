"""What all shapes share: strict input, and documents that list problems."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from server.core.errors import InvalidInput
from server.core.text import clean_text


class Input(BaseModel):
    """What a client sends: nothing unknown, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
