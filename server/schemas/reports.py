"""The shape of the list of reports."""

from server.schemas.base import Output


class ReportKindOut(Output):
    """A report; `yours`: whether the reader's role is enough for it."""

    name: str
    title: str
    about: str
    columns: list[str]
    yours: bool


class ReportList(Output):
    """All of them."""

    items: list[ReportKindOut]
    next_cursor: str
