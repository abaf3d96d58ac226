"""A date and time that somebody filled in by the centre's clocks; what is wrong with it is said at the field."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from server.services.attendance import YEAR_MIN

# What a form sends is 16 characters, and with seconds and an offset 32 at most.
FIELD_CHARACTERS_MAX: Final = 40
_LOCAL: Final = "%Y-%m-%dT%H:%M"
# HTML, 2.3.5.5 (local date and time): what a `datetime-local` field can show; it empties itself of anything else.
_SHOWN_BY_FIELD: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?", re.ASCII)
# Beyond these a moment cannot be turned into UTC without leaving the calendar.
_YEARS_ASKED: Final = range(YEAR_MIN, 9_999)


@dataclass(frozen=True, slots=True)
class MomentField:
    """A field as it came back: its text, what it means (aware; None: now, or nothing), and what is wrong with it.

    `twice` is the other moment with the same hands of the clock, on the day on which clocks go back. `is_plain`: a
    browser's own field for date and time can show the text.
    """

    text: str = ""
    moment: datetime | None = None
    problem: str = ""
    twice: datetime | None = None

    @property
    def is_plain(self) -> bool:
        """Whether a `datetime-local` field shows the text, and does not lose it."""
        return not self.text or (_SHOWN_BY_FIELD.fullmatch(self.text) is not None and _parsed(self.text) is not None)


def read_moment(text: str, zone: ZoneInfo, now: datetime) -> MomentField:
    """Read a field: a local time of `zone`, or a time with its own offset (RFC 3339); `now` is aware. Never raises."""
    asked = text.strip()
    if not asked:
        return MomentField()
    parsed = _parsed(asked) if len(asked) <= FIELD_CHARACTERS_MAX and asked.isprintable() else None
    if parsed is None:
        return MomentField(asked[:FIELD_CHARACTERS_MAX], problem="Write a day and a time, such as 2026-09-21T08:00.")
    if parsed.year not in _YEARS_ASKED:
        return MomentField(asked, problem=f"Choose a day from the year {YEAR_MIN} on.")
    moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
    if parsed.tzinfo is None and not _exists(moment):
        return MomentField(asked, problem="There was no such time: the clocks went forward over it that day.")
    if moment.astimezone(UTC) > now:
        return MomentField(asked, problem="This lies ahead. Choose a moment that has passed.")
    # Years at the edge lie in another one by UTC.
    if moment.astimezone(UTC).year < YEAR_MIN:
        return MomentField(asked, problem=f"Choose a day from the year {YEAR_MIN} on.")
    shown = moment.astimezone(zone).strftime(_LOCAL) if parsed.tzinfo else asked
    return MomentField(shown, moment, twice=_twice(moment.astimezone(zone)))


def _parsed(text: str) -> datetime | None:
    """What is written, when it is a day and a time; a day alone would mean midnight, which nobody asks for."""
    try:
        return datetime.fromisoformat(text) if "T" in text.upper() or " " in text else None
    except ValueError:
        return None


def _exists(moment: datetime) -> bool:
    """Whether the clocks of its zone ever showed it: what lies in a gap comes back as another time."""
    there = moment.astimezone(UTC).astimezone(moment.tzinfo)
    return there.replace(tzinfo=None, fold=0) == moment.replace(tzinfo=None, fold=0)


def _twice(moment: datetime) -> datetime | None:
    """The other moment that looks the same on a clock of the zone (PEP 495), or None."""
    other = moment.replace(fold=1 - moment.fold)
    is_other = other.utcoffset() != moment.utcoffset()
    return other if is_other and _exists(other) else None
