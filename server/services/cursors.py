"""Where the next page of a list begins that is ordered by a moment and an id."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

from server.core.errors import InvalidInput


def write_cursor(moment: datetime, row_id: str) -> str:
    """Give a cursor behind a row: text that means nothing to anybody else."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {row_id}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Read a cursor. Raises InvalidInput when it is none of ours."""
    try:
        at, _, row_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment, found = datetime.fromisoformat(at), str(UUID(row_id))
    except (ValueError, binascii.Error, UnicodeError):
        raise InvalidInput("This cursor is none that was given out") from None
    if moment.tzinfo is None:
        raise InvalidInput("This cursor is none that was given out")
    return moment, found
