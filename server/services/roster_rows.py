"""What each kind of row must look like: one table of columns, and the reading of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from email_validator import EmailNotValidError, validate_email

from server.core.errors import InvalidInput
from server.core.text import clean_text
from server.models.columns import CODE_MAX, NAME_MAX, TEXT_MAX
from server.models.people import EMERGENCY_RANK_MAX, AlertKind, AlertSeverity, PickupStatus, StaffRole
from server.services.roster_file import RECORD_COLUMN, Place, Problem, TextRow

YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2100
CAPACITY_MAX: Final = 1_000
_YES: Final = frozenset({"yes", "y", "true", "1"})
_NO: Final = frozenset({"no", "n", "false", "0"})

Read = Callable[[str], Any]
"""Gives the value of a cell; raises ValueError with a reason that does not repeat the cell."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a kind of record: what a cell must be, and what an empty one stands for."""

    name: str
    read: Read
    required: bool = False
    default: Any = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A row that is right in itself; `values` has every column of its kind."""

    place: Place
    kind: str
    values: dict[str, Any]

    @property
    def center(self) -> str:
        """The code of its centre, empty when the row leaves it to the context."""
        return str(self.values["center"])

    @property
    def external_id(self) -> str:
        """The id it has in the file; a pick-up has the pair of its child and adult."""
        if self.kind == "pickup":
            return f"{self.values['child']} / {self.values['adult']}"
        return str(self.values["external_id"])


def text_of(length_max: int) -> Read:
    """Give the reader of a text of at most so many characters."""

    def read(cell: str) -> str:
        try:
            return clean_text(cell, what="this", length_max=length_max)
        except InvalidInput as error:
            raise ValueError(error.detail) from None

    return read


def _one_of(choices: type[StrEnum]) -> Read:
    def read(cell: str) -> str:
        try:
            return choices(cell.casefold()).value
        except ValueError:
            raise ValueError(f"this must be one of {', '.join(choices)}") from None

    return read


def _whole_number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit()) or not 0 <= int(cell[:9]) <= CAPACITY_MAX:
        raise ValueError(f"this must be a whole number from 0 to {CAPACITY_MAX}")
    return int(cell)


def _rank(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit()) or not 1 <= int(cell[:9]) <= EMERGENCY_RANK_MAX:
        raise ValueError(f"this must be a whole number from 1 to {EMERGENCY_RANK_MAX}")
    return int(cell)


def _yes_or_no(cell: str) -> bool:
    if cell.casefold() not in _YES | _NO:
        raise ValueError("this must be yes or no")
    return cell.casefold() in _YES


def _day(cell: str) -> date:
    try:
        day = date.fromisoformat(cell)
    except ValueError:
        raise ValueError("this is no day: write it as YYYY-MM-DD") from None
    if len(cell) != len("YYYY-MM-DD") or not YEAR_MIN <= day.year <= YEAR_MAX:
        raise ValueError(f"write this day as YYYY-MM-DD, in the years {YEAR_MIN} to {YEAR_MAX}")
    return day


def _clock_time(cell: str) -> time:
    try:
        found = time.fromisoformat(cell)
    except ValueError:
        found = None
    if found is None or len(cell) != len("HH:MM"):
        raise ValueError("this is no time of day: write it as HH:MM")
    return found


def _time_zone(cell: str) -> str:
    try:
        return ZoneInfo(text_of(CODE_MAX)(cell)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("this is no time zone: write it like Europe/London or America/Los_Angeles") from None


def _email(cell: str) -> str:
    try:
        return validate_email(text_of(NAME_MAX)(cell), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise ValueError("this is no e-mail address") from None


_CODE: Final = text_of(CODE_MAX)
_NAME: Final = text_of(NAME_MAX)
_CENTER: Final = Column("center", _CODE, meaning="code of the centre; may be empty when there is only one")
_EXTERNAL_ID: Final = Column("external_id", _CODE, required=True, meaning="its id in your own system; never changes")
_GIVEN: Final = Column("given_name", _NAME, required=True, meaning="given name")
_FAMILY: Final = Column("family_name", _NAME, required=True, meaning="family name")
_PHONE: Final = Column("phone", _CODE, meaning="telephone number, as it should be shown")
_EMAIL: Final = Column("email", _email, meaning="e-mail address")
_AS_IT_IS: Final = "empty: as it is, of a legal guardian yes"
_CHILD: Final = Column("child", _CODE, required=True, meaning="`external_id` of the child")

COLUMNS_OF: Final[dict[str, tuple[Column, ...]]] = {
    "center": (
        Column("center", _CODE, meaning="leave empty"),
        Column("external_id", _CODE, required=True, meaning="code of the centre; never changes"),
        Column("name", _NAME, required=True, meaning="name of the centre"),
        Column("organisation", _NAME, meaning="who runs it; the centre's own name when empty"),
        Column("time_zone", _time_zone, required=True, meaning="IANA name, such as `Europe/London`"),
        Column("opens_at", _clock_time, default=None, meaning="HH:MM, local time"),
        Column("closes_at", _clock_time, default=None, meaning="HH:MM, local time"),
    ),
    "room": (
        _CENTER,
        _EXTERNAL_ID,
        Column("name", _NAME, required=True, meaning="name of the room"),
        Column("capacity", _whole_number, default=0, meaning="children it holds; empty or 0: not set"),
        Column("sort", _whole_number, default=0, meaning="place in lists, smallest first"),
    ),
    "staff": (
        _CENTER,
        _EXTERNAL_ID,
        _GIVEN,
        _FAMILY,
        Column("role", _one_of(StaffRole), required=True, meaning=f"one of {', '.join(StaffRole)}"),
        Column("counts_in_ratio", _yes_or_no, default=True, meaning="yes or no; yes when empty"),
        Column("employed_from", _day, default=None, meaning="first day, YYYY-MM-DD; when empty, what is known stays"),
        Column("employed_to", _day, default=None, meaning="last day, YYYY-MM-DD; when empty, what is known stays"),
        _PHONE,
        _EMAIL,
    ),
    "child": (
        _CENTER,
        _EXTERNAL_ID,
        _GIVEN,
        _FAMILY,
        Column("preferred_name", _NAME, meaning="what the child is called, when that is another name"),
        Column("birth_date", _day, default=None, meaning="YYYY-MM-DD"),
        Column("room", _CODE, meaning="`external_id` of the home room"),
        Column("enrolled", _yes_or_no, default=True, meaning="yes or no; yes when empty"),
        Column("enrolled_from", _day, default=None, meaning="first day, YYYY-MM-DD; when empty, what is known stays"),
        Column("enrolled_to", _day, default=None, meaning="last day, YYYY-MM-DD; when empty, what is known stays"),
    ),
    "guardian": (_CENTER, _EXTERNAL_ID, _GIVEN, _FAMILY, _PHONE, _EMAIL),
    "pickup": (
        _CENTER,
        _CHILD,
        Column("adult", _CODE, required=True, meaning="`external_id` of the guardian"),
        Column("status", _one_of(PickupStatus), required=True, meaning=f"one of {', '.join(PickupStatus)}"),
        Column("relationship", _CODE, meaning="what the adult is to the child, in a word"),
        Column("legal_guardian", _yes_or_no, default=False, meaning="yes or no; no when empty"),
        Column("valid_from", _day, default=None, meaning="first day, YYYY-MM-DD"),
        Column("valid_to", _day, default=None, meaning="last day, YYYY-MM-DD"),
        Column(
            "can_view", _yes_or_no, default=None, meaning=f"may see the child with an account: yes or no; {_AS_IT_IS}"
        ),
        Column("can_book", _yes_or_no, default=None, meaning=f"may book for the child: yes or no; {_AS_IT_IS}"),
        Column(
            "receives_notifications", _yes_or_no, default=None, meaning=f"is told of the child: yes or no; {_AS_IT_IS}"
        ),
        Column("emergency_rank", _rank, default=None, meaning="whom to call first: 1 to 99; empty: as it is"),
    ),
    "alert": (
        _CENTER,
        _EXTERNAL_ID,
        _CHILD,
        Column("kind", _one_of(AlertKind), required=True, meaning=f"one of {', '.join(AlertKind)}"),
        Column("severity", _one_of(AlertSeverity), required=True, meaning=f"one of {', '.join(AlertSeverity)}"),
        Column("text", text_of(TEXT_MAX), required=True, meaning="one short sentence"),
    ),
}
ALL_COLUMNS: Final = (
    RECORD_COLUMN,
    *dict.fromkeys(column.name for columns in COLUMNS_OF.values() for column in columns),
)

_PERIODS: Final = (("valid_from", "valid_to"), ("enrolled_from", "enrolled_to"), ("employed_from", "employed_to"))


def check_rows(rows: Sequence[TextRow]) -> tuple[list[RosterRow], list[Problem]]:
    """Read every cell of every row; a row with anything wrong is left out, and all that is wrong is told."""
    good: list[RosterRow] = []
    problems: list[Problem] = []
    for row in rows:
        values, wrong = _check_row(row)
        problems += wrong
        if not wrong:
            good.append(RosterRow(row.place, row.kind, values))
    return good, problems


def _check_row(row: TextRow) -> tuple[dict[str, Any], list[Problem]]:
    columns = COLUMNS_OF[row.kind]
    problems = [
        Problem(row.place, name, f"a {row.kind} has no such column: leave it empty")
        for name in row.cells.keys() - {column.name for column in columns}
    ]
    values: dict[str, Any] = {}
    for column in columns:
        try:
            values[column.name] = _read_cell(column, row.cells.get(column.name, ""))
        except ValueError as error:
            problems.append(Problem(row.place, column.name, str(error)))
    for begin, end in _PERIODS:
        first, last = values.get(begin), values.get(end)
        if first and last and last < first:
            problems.append(Problem(row.place, end, "the last day is before the first"))
    return values, problems


def _read_cell(column: Column, cell: str) -> Any:
    if cell:
        return column.read(cell)
    if column.required:
        raise ValueError("this must not be empty")
    return column.default
