"""What the shapes of people share: names, codes, addresses and days as they come in."""

from datetime import date
from typing import Annotated, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

from server.core.errors import InvalidInput
from server.core.text import clean_text

NAME_MAX: Final = 200
TEXT_MAX: Final = 500
CODE_MAX: Final = 64
DAY_MIN: Final = date(1900, 1, 1)
DAY_MAX: Final = date(2100, 12, 31)


def _text(length_min: int, length_max: int) -> AfterValidator:
    def read(value: str) -> str:
        try:
            return clean_text(value, what="This", length_min=length_min, length_max=length_max)
        except InvalidInput as error:
            raise ValueError(error.detail) from None

    return AfterValidator(read)


def _email(value: str) -> str:
    if not value.strip():
        return ""
    try:
        found = validate_email(value.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        found = ""
    if not found or len(found) > NAME_MAX:
        raise ValueError("This is no e-mail address")
    return found


Name = Annotated[str, _text(1, NAME_MAX)]
"""A name that must be there."""

MaybeName = Annotated[str, _text(0, NAME_MAX)]
"""A name, or nothing."""

Text = Annotated[str, _text(1, TEXT_MAX)]
"""A short sentence."""

Code = Annotated[str, _text(1, CODE_MAX)]
"""An id in another system, a word, or a telephone number."""

MaybeCode = Annotated[str, _text(0, CODE_MAX)]
"""The same, or nothing."""

Email = Annotated[str, AfterValidator(_email)]
"""An e-mail address in lower case, or nothing."""

Day = Annotated[date, Field(strict=False, ge=DAY_MIN, le=DAY_MAX)]
"""A calendar day, YYYY-MM-DD."""
