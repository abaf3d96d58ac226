"""What of an attendance event somebody typed, and the same event without it: a fact without a name stays a fact."""

from collections.abc import Collection
from typing import Final

import msgspec

from sync.attendance_events import AttendanceEvent

ERASED: Final = "erased"
"""Stands where a name was: a fact that named somebody still does, and two events without a name are not one."""

_TEXTS: Final = ("note", "reason")


def without_words(event: AttendanceEvent, authors: Collection[str] = ()) -> AttendanceEvent | None:
    """Give an event of an erased child without names and notes; None when it has none (any more).

    Ids, times, rooms and codes stay, and with them what the facts come to. `authors`: accounts whose names go, too.
    """
    found: dict[str, object] = {name: "" for name in _TEXTS if getattr(event, name)}
    if _is_name(event.provisional_name):
        found["provisional_name"] = ERASED
    if event.author_id in authors and _is_name(event.author):
        found["author"] = ERASED
    return _changed(event, found | _without_adult(event))


def without_adult(event: AttendanceEvent) -> AttendanceEvent | None:
    """Give an event that names an erased adult without the name; what was noted of the child stays. None as above."""
    return _changed(event, _without_adult(event))


def _without_adult(event: AttendanceEvent) -> dict[str, object]:
    found: dict[str, object] = {"adult_name": ERASED} if _is_name(event.adult_name) else {}
    if event.corrected is not None and _is_name(event.corrected.adult_name):
        found["corrected"] = msgspec.structs.replace(event.corrected, adult_name=ERASED)
    return found


def _changed(event: AttendanceEvent, found: dict[str, object]) -> AttendanceEvent | None:
    return msgspec.structs.replace(event, **found) if found else None


def _is_name(value: str) -> bool:
    return value not in ("", ERASED)
