"""Lists that are given out a page at a time: `cursor` and `limit` in, `next_cursor` out.

A cursor says after which item the next page begins. It is opaque to clients, belongs to one list, and holds ids or
times and no personal data, since addresses are written into logs on the way.
"""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from server.core.errors import FieldProblem, InvalidInput

PAGE_ITEMS_MAX: Final = 100
PAGE_ITEMS: Final = 50
CURSOR_CHARACTERS_MAX: Final = 1_000

ITEMS_AT_ONCE_MAX: Final = 100_000
"""Of a list that is read whole; more than any such list has."""

Reader = Callable[[str], Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The page a client asks for; an empty cursor is the first one."""

    cursor: str
    limit: int

    def after(self, name: str, *readers: Reader) -> tuple[Any, ...] | None:
        """Give the key after which the page of the list `name` begins, each part read by a reader; None at first.

        A reader raises ValueError for what is none of its kind (`UUID`, `datetime.fromisoformat`).

        Raises:
            InvalidInput: the cursor was not given out for this list.

        """
        if not self.cursor:
            return None
        try:
            told = json.loads(base64.b64decode(self.cursor, altchars=b"-_", validate=True))
            return tuple(read(_text(part)) for read, part in zip((_same(name), *readers), told, strict=True))[1:]
        # Whatever made-up cursors hold: no base64, no text, no list, other parts than the readers know.
        except (AttributeError, OverflowError, TypeError, ValueError, RecursionError):
            detail = "This cursor was not given out for this list"
            raise InvalidInput(detail, (FieldProblem("#query/cursor", detail),)) from None

    def after_id(self, name: str) -> str | None:
        """Give the id behind which the page of a list by ids begins; None at first. Raises as `after`."""
        found = self.after(name, UUID)
        return str(found[0]) if found else None

    def part(self, name: str, items: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], str]:
        """Give the page of a list that is read whole, since it is short by its nature, and the cursor of the next one.

        A cursor names an item and its place. When the item is gone, the page begins at the place where it was: what
        came after it moved up.

        Raises:
            InvalidInput: as `after`.

        """
        begin = 0
        found = self.after(name, str, _place)
        if found is not None:
            last, place = found
            begin = next((at + 1 for at, item in enumerate(items) if key(item) == last), place)
        end = begin + self.limit
        more = (key(items[end - 1]), end - 1) if end < len(items) else None
        return items[begin:end], next_cursor(name, more)


async def get_page_query(
    cursor: Annotated[
        str, Query(max_length=CURSOR_CHARACTERS_MAX, description="`next_cursor` of the page before; empty: the first")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX, description="Items at most")] = PAGE_ITEMS,
) -> PageQuery:
    """Give the page a client asks for."""
    return PageQuery(cursor, limit)


PageDep = Annotated[PageQuery, Depends(get_page_query)]


def read_moment(part: str) -> datetime:
    """Read a moment of a cursor, as `isoformat` writes it; gives it in UTC.

    Raises:
        ValueError: it has no offset.
        OverflowError: it lies at an end of the calendar, beyond which it would be in UTC.

    """
    moment = datetime.fromisoformat(part)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def next_cursor(name: str, key: tuple[object, ...] | None) -> str:
    """Give the cursor for what comes after a key in the list `name`; empty for None, at the end."""
    if key is None:
        return ""
    told = json.dumps([name, *map(str, key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode("ascii")


def next_id(name: str, after: str | None) -> str:
    """Give the cursor for what comes after an id in the list `name`; empty for None, at the end."""
    return next_cursor(name, (after,) if after else None)


def _place(part: str) -> int:
    place = int(part) if part.isascii() and part.isdigit() and len(part) <= len(str(ITEMS_AT_ONCE_MAX)) else -1
    if not 0 <= place <= ITEMS_AT_ONCE_MAX:
        raise ValueError
    return place


def _text(part: object) -> str:
    if not isinstance(part, str) or "\0" in part:  # PostgreSQL takes no NUL
        raise TypeError
    return part


def _same(name: str) -> Reader:
    """Give a reader that knows one name only."""

    def read(part: str) -> str:
        if part != name:
            raise ValueError
        return part

    return read
