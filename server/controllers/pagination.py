"""Lists that are given out a page at a time: `cursor` and `limit` in, `next_cursor` out.

A cursor says after which item the next page begins. It is opaque to clients, belongs to one list, and holds ids or
times and no personal data, since addresses are written into logs on the way.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Query

from server.core.errors import FieldProblem, InvalidInput

PAGE_ITEMS_MAX: Final = 100
PAGE_ITEMS: Final = 50
CURSOR_CHARACTERS_MAX: Final = 1_000

Reader = Callable[[str], Any]


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
        except (AttributeError, TypeError, ValueError, RecursionError):
            detail = "This cursor was not given out for this list"
            raise InvalidInput(detail, (FieldProblem("#query/cursor", detail),)) from None


async def get_page_query(
    cursor: Annotated[
        str, Query(max_length=CURSOR_CHARACTERS_MAX, description="`next_cursor` of the page before; empty: the first")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX, description="Items at most")] = PAGE_ITEMS,
) -> PageQuery:
    """Give the page a client asks for."""
    return PageQuery(cursor, limit)


PageDep = Annotated[PageQuery, Depends(get_page_query)]


def next_cursor(name: str, key: tuple[object, ...] | None) -> str:
    """Give the cursor for what comes after a key in the list `name`; empty for None, at the end."""
    if key is None:
        return ""
    told = json.dumps([name, *map(str, key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode("ascii")


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
