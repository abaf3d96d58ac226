"""What an auditor would look at, each with its reason in words and the stays behind it."""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from server.repositories import analytics
from server.repositories.analytics import Scope
from server.repositories.unit_of_work import Connection
from server.services.analytics_figures import Anomalies, Anomaly

# Each kind lists so many, the latest first.
LISTED_MAX: Final = 200
MARGIN_MIN: Final = 60
# Of entries at any second one in 900 is at a whole quarter of an hour, and one in 15 of those typed to the minute.
ENTRIES_MIN: Final = 20
WHOLE_PERCENT_MIN: Final = 30


async def found_anomalies(connection: Connection, scope: Scope, others: Mapping[str, str]) -> Anomalies:
    """Look for them; `others` are the names of centres by id of which whoever asks may know."""
    rounded = await analytics.rounding(connection, scope, entries_min=ENTRIES_MIN, percent_min=WHOLE_PERCENT_MIN)
    closed = await analytics.while_closed(connection, scope, margin_min=MARGIN_MIN, limit=LISTED_MAX)
    twice = await analytics.at_two_centers(connection, scope, limit=LISTED_MAX)
    zone = ZoneInfo(scope.time_zone)
    found = [
        Anomaly(
            kind="rounded_times",
            at=row.last_at,
            reason=f"{row.whole} of {row.entries} times that "
            f"{' '.join((row.given_name or 'somebody', row.family_name or 'unknown'))} attested are at a whole quarter "
            f"of an hour; typed to the minute it would be about {row.entries // 15}",
            child_id=None,
            staff_id=row.staff_id,
            stay_ids=tuple(dict.fromkeys(str(stay_id) for stay_id in row.stay_ids)),
        )
        for row in rounded
    ]
    found += [
        Anomaly(
            kind="while_closed",
            at=row.started_at,
            reason=f"Came at {row.shown:%H:%M} on {row.shown:%A}, {row.shown:%Y-%m-%d}: {_why_closed(row.closure)}",
            child_id=str(row.subject_id),
            staff_id=None,
            stay_ids=(str(row.stay_id),),
        )
        for row in closed
    ]
    found += [
        Anomaly(
            kind="at_two_centers",
            at=row.started_at,
            reason="The same child, or one of the same name and birth date, was in at "
            f"{others.get(str(row.other_center_id), 'another centre of the organisation')} from "
            f"{row.other_started_at.astimezone(zone):%H:%M} to {row.other_ended_at.astimezone(zone):%H:%M} "
            "by the clock here",
            child_id=str(row.subject_id),
            staff_id=None,
            stay_ids=(str(row.stay_id),),
        )
        for row in twice
    ]
    return Anomalies(tuple(found), is_cut=LISTED_MAX in (len(closed), len(twice)))


def _why_closed(closure: str | None) -> str:
    if closure is None:
        return "the centre is not open then"
    return f"closed for {closure}" if closure else "the centre was closed"
