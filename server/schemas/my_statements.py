"""Shapes of the statements of a guardian's children; the statement itself is the one that the centre sees."""

from datetime import date
from typing import Annotated

from pydantic import Field

from server.schemas.base import Output
from server.schemas.offers import MoneyOut

Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-09"])]


class MyStatementOut(Output):
    """What a month of a child comes to; `final`: every day of it is locked, and no figure changes any more."""

    child_id: str
    center_id: str
    center_name: str
    given_name: str
    family_name: str
    month: Month
    first_day: date
    last_day: date
    rules_version: int
    lines: int
    unpriced_lines: int
    totals: list[MoneyOut]
    final: bool


class MyStatementList(Output):
    """Statements, the newest month first; an empty `next_cursor` is the end."""

    items: list[MyStatementOut]
    next_cursor: str
