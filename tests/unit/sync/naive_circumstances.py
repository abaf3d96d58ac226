"""What records beside the events say of them, a second time: by calendar days and plain dicts, not by spans of time.

`around` holds records as they are in the log, read as plain JSON: `center`, `child` (None when it is not on file),
`pickups` of the child, `staff` by id, and `received`, when the server got each event.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Around = dict[str, Any]
Question = tuple[str, tuple[str, ...]]

NOTHING: Around = {"center": {"time_zone": "UTC"}, "child": None, "pickups": [], "staff": {}, "received": {}}
ALLOWED = ("authorised", "temporary")
MINUTE_MS = 60_000


def asked(rows: list[Row], stays: list[Row], acts: list[Row], around: Around) -> list[Question]:
    """All questions that a record raises; `acts` are those that act, each with the moments it is about."""
    questions = [("released_on_stale_authorisation", (row["id"],)) for row in rows if _is_stale(row, around)]
    said = [row for row in rows if not row["is_answer"]]
    questions += [("time_uncertain", (row["id"],)) for row in said if _is_odd(row, around)]
    questions += [("adjustment_after_lock", (row["id"],)) for row in said if _is_late(row, [row["at"]], around)]
    questions += [("adjustment_after_lock", (row["id"],)) for row in acts if _is_late(row, row["about"], around)]
    questions += [("actor_not_entitled", (row["id"],)) for row in [*said, *acts] if not _is_on_staff(row, around)]
    begun = [stay for stay in stays if stay["in"]]
    closures = around["center"].get("closures", [])
    shut = [stay for stay in begun if any(_within(stay["start"], one, around) for one in closures)]
    return questions + [("presence_on_closure", (stay["in"]["id"],)) for stay in shut]


def ended(stays: Iterable[Row], around: Around) -> list[str]:
    """The absences in which the child came."""
    begun = [stay["start"] for stay in stays if stay["in"]]
    announced = (around["child"] or {}).get("absences", [])
    return sorted(one["absence_id"] for one in announced if any(_within(at_ms, one, around) for at_ms in begun))


def _day(at_ms: int, around: Around) -> str:
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC).astimezone(ZoneInfo(around["center"]["time_zone"]))
    return moment.date().isoformat()


def _within(at_ms: int, days: dict[str, Any], around: Around) -> bool:
    return bool(days["first_day"] <= _day(at_ms, around) <= days["last_day"])


def _is_stale(row: Row, around: Around) -> bool:
    if row["kind"] != "check_out" and not row["is_answer"]:
        return False
    return any(
        _is_refused(row["at"], pickup, around)
        for pickup in around["pickups"]
        if row["adult"][0] and pickup["adult_id"] == row["adult"][0]
    )


def _is_refused(at_ms: int, pickup: dict[str, Any], around: Around) -> bool:
    status = pickup["status"]
    for change in pickup.get("history", []):
        if change["since_ms"] <= at_ms:
            status = change["status"]
    first, last = pickup["valid_from"] or "0000", pickup["valid_to"] or "9999"
    return status not in ALLOWED or not first <= _day(at_ms, around) <= last


def _is_odd(row: Row, around: Around) -> bool:
    if (
        row["suspect"]
        or row["ahead"] > MINUTE_MS
        or row["at"] - around["received"].get(row["id"], row["at"]) > MINUTE_MS
    ):
        return True
    since = (around["child"] or {}).get("enrolled_from", "")
    return bool(since) and _day(row["at"], around) < since


def _is_late(row: Row, moments: list[int], around: Around) -> bool:
    for lock in around["center"].get("locks", []):
        received_ms = around["received"].get(row["id"])
        is_new = received_ms is None or received_ms > lock["locked_at_ms"]
        if is_new and any(_within(at_ms, lock, around) for at_ms in moments):
            return True
    return False


def _is_on_staff(row: Row, around: Around) -> bool:
    member = around["staff"].get(row["staff"], {})
    first, last = member.get("employed_from", "0000"), member.get("employed_to", "9999")
    return bool(first <= _day(row["at"], around) <= last)
