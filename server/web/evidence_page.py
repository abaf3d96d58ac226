"""The evidence of a stay on paper: short plain words for every code, and times as the centre reads them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from server.web.pages import Page, Pages

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS

# A code that is not here is shown as it is, with blanks.
_WORDS: Final = {
    # parts of a stay
    "began": "began the stay",
    "ended": "ended the stay",
    "corroborated": "says the same",
    "moved": "room change in the stay",
    "taken_away": "no longer counts",
    "in_question": "in question",
    "beside": "changes nothing of the stay",
    "acted": "about another event",
    # kinds
    "check_in": "check-in",
    "check_out": "check-out",
    "room_move": "room change",
    "void": "taking back",
    "correct": "correction",
    "confirm": "confirmation",
    "release_refused": "release refused",
    "label_reprinted": "label sent to the printer, perhaps not the only one",
    "auto_close": "assumed end of the day",
    "review_resolved": "answer to a question",
    # who and how
    "staff_attested": "a member of staff vouches",
    "pin": "the adult's PIN",
    "account": "signed in with an account",
    "auto": "nobody: by rule",
    "parent_app": "the parent's app",
    "known_to_staff": "known to staff",
    "photo_match": "photo compared",
    "photo_id": "photo ID seen",
    "none": "none",
    # what became of it
    "applied": "stored",
    "conflict": "stored, contradicts others",
    # questions
    "possible_missed_check_out": "A check-out may be missing",
    "overlapping_stays": "Two desks disagree about when the child was in",
    "check_out_without_check_in": "Nobody saw the child come",
    "two_collectors": "Two different adults collected",
    "movement_after_departure": "Changed rooms after leaving",
    "released_on_stale_authorisation": "Collected by an adult who was not allowed to any more",
    "released_by_override": "Handed over although something spoke against it",
    "presence_on_closure": "Here while the centre was closed",
    "adjustment_after_lock": "Entered after the period was locked",
    "time_uncertain": "The time is uncertain",
    "unknown_reference": "A child, adult or room is not on file",
    "actor_not_entitled": "Whoever signed, or the device, was not entitled",
    "disputed_by_guardian": "A guardian disputes it",
    # values
    "at": "time",
    "room_id": "room",
    "to_room_id": "to room",
    "adult_id": "adult on file",
    "adult_name": "adult",
    "occurred_at_ms": "time",
    "left_at_ms": "left at",
    "supersedes": "acts on",
    "confirms": "confirms",
    "corrected": "says anew",
    "finding": "question",
    "reason_code": "reason",
    "reason": "reason in words",
    "after_lease": "desk without the server for longer than allowed",
}
# What stands elsewhere on the page.
_SHOWN_ELSEWHERE: Final = frozenset({
    "event_id", "kind", "center_id", "child_id", "occurred_at_ms", "recorded_at_ms", "utc_offset_min",
    "clock_offset_ms", "clock_error_ms", "clock_suspect", "staff_id", "adult_id", "adult_name", "auth_method",
    "identity_check",
})  # fmt: skip


def evidence_page(record: Mapping[str, Any]) -> Page:
    """Make the page of what the API's `StayEvidenceOut` says, as plain values with aware times."""
    zone = ZoneInfo(record["time_zone"])
    numbers = {event["event_id"]: event["number"] for event in record["events"]}
    details = {
        event["event_id"]: list(_details(event["said"] or {}, record["names"], numbers, zone))
        for event in record["events"]
    }
    return _PAGES.page(record=record, details=details, numbers=numbers, keys=_keys(record))


def words(code: str) -> str:
    """Plain words for a code."""
    return _WORDS.get(code, code.replace("_", " "))


def when(moment: datetime | str | None) -> str:
    """A time to the second with its offset from UTC; it may come as RFC 3339."""
    if moment is None:
        return "not known"
    aware = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    text = aware.isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:]}"


def span(length_ms: int) -> str:
    """A length of time in the two largest units that say something."""
    length = abs(length_ms)
    if length < _SECOND_MS:
        return f"{length} ms"
    if length < _MINUTE_MS:
        return f"{length / _SECOND_MS:.1f} s"
    if length < _HOUR_MS:
        return f"{length // _MINUTE_MS} min {length % _MINUTE_MS // _SECOND_MS} s"
    if length < _DAY_MS:
        return f"{length // _HOUR_MS} h {length % _HOUR_MS // _MINUTE_MS} min"
    return f"{length // _DAY_MS} d {length % _DAY_MS // _HOUR_MS} h"


def step_value(value: str | int | None, name: str, names: Mapping[str, str]) -> str:
    """A value before or after a correction; ids by their names."""
    if name == "at":
        return when(str(value))
    return "nothing" if value is None or value == "" else names.get(str(value), str(value))


def verdict(checked: bool | None) -> str:  # noqa: FBT001 - the value that is put into words
    """Whether a check holds; None: there is nothing to compare with."""
    return {True: "yes", False: "NO", None: "cannot be checked"}[checked]


def _details(
    said: Mapping[str, Any], names: Mapping[str, str], numbers: Mapping[str, int], zone: ZoneInfo
) -> Iterator[tuple[str, str]]:
    """What an event says beside who, when and on which device, in its own order."""
    for name, value in said.items():
        if name not in _SHOWN_ELSEWHERE:
            yield words(name), _text(name, value, names, numbers, zone)


def _text(name: str, value: Any, names: Mapping[str, str], numbers: Mapping[str, int], zone: ZoneInfo) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{words(key)} {_text(key, one, names, numbers, zone)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_text("", one, names, numbers, zone) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_at_ms"):
        return when((_EPOCH + timedelta(milliseconds=value)).astimezone(zone))
    if value in numbers:
        return f"event {numbers[value]}"
    if name == "finding":
        return words(str(value).partition(":")[0])
    text = names.get(str(value), str(value))
    return words(text) if name in {"reason_code", "answer"} else text


def _keys(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each device once that signed something here."""
    entries = [entry for event in record["events"] for entry in event["entries"]]
    return list({entry["device"]["device_id"]: entry for entry in entries}.values())


_PAGES: Final = Pages(
    "stay_evidence.html",
    "stay_evidence.css",
    {"words": words, "when": when, "span": span, "step_value": step_value, "verdict": verdict},
)
