"""The SQL of figures over long periods: from stays, bookings, absences and facts; reads only, each statement bounded.

A day is a day of the centre's zone: it begins at the local midnight and may have 23 or 25 hours. Marks stand at every
quarter of an hour of real time, and are named by what the clock on the wall shows; all zones differ from UTC by whole
quarters. Stays whose begin nobody saw are in no sum of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row, TextClause, text

from server.repositories.unit_of_work import Connection

ROUNDED_EXAMPLES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """Which days of a centre (both included), their moments `[since, before)`, and until when anything is known."""

    center_id: str
    time_zone: str
    first_day: date
    last_day: date
    since: datetime
    before: datetime
    as_of: datetime

    @property
    def parameters(self) -> dict[str, object]:
        """As the statements name them."""
        return {
            "center_id": self.center_id,
            "zone": self.time_zone,
            "first": self.first_day,
            "last": self.last_day,
            "since": self.since,
            "before": self.before,
            "as_of": self.as_of,
        }


Rows = Sequence[Row[Any]]


async def attendance_by_day(connection: Connection, scope: Scope) -> Rows:
    """Give for each day with anything: children booked, and of them present, announced or neither, and more."""
    return await _rows(connection, _ATTENDANCE, scope)


async def occupancy(connection: Connection, scope: Scope) -> Rows:
    """Give by weekday and minute of the day how many children were in, and how many were booked, at these marks."""
    return await _rows(connection, _OCCUPANCY, scope)


async def arrivals(connection: Connection, scope: Scope) -> Rows:
    """Give by minute of the day (quarters) how many children came and left."""
    return await _rows(connection, _ARRIVALS, scope)


async def punctuality(connection: Connection, scope: Scope) -> Row[Any]:
    """Give how arrivals and departures lie to the bookings of the day, in minutes."""
    return (await connection.execute(_PUNCTUALITY, scope.parameters)).one()


async def rooms(connection: Connection, scope: Scope) -> Rows:
    """Give by room and by age in years (null: not known) how many minutes children were in."""
    return await _rows(connection, _ROOMS, scope)


async def open_days(connection: Connection, scope: Scope) -> int:
    """Count the weekdays on which the centre was not closed, up to now."""
    return int(await connection.scalar(_OPEN_DAYS, scope.parameters) or 0)


async def records(connection: Connection, scope: Scope, *, retroactive_min: int, late_min: int) -> Rows:
    """Give by month how many entries there are, and of them attested by staff, entered afterwards, and sent late."""
    limits = {"retroactive": retroactive_min, "late": late_min}
    return list(await connection.execute(_RECORDS, {**scope.parameters, **limits}))


async def assumed(connection: Connection, scope: Scope) -> Rows:
    """Give by month how many stays there are, and of them with an assumed end, and disputed."""
    return await _rows(connection, _ASSUMED, scope)


async def stays(connection: Connection, scope: Scope) -> Rows:
    """Give the stays of children and staff that have a moment in the days, by subject and time."""
    return await _rows(connection, _STAYS, scope)


async def booked(connection: Connection, scope: Scope) -> Rows:
    """Give the bookings of the days, by child and time, whatever became of them."""
    return await _rows(connection, _BOOKED, scope)


async def while_closed(connection: Connection, scope: Scope, *, margin_min: int, limit: int) -> Rows:
    """Give stays that begin on a day on which the centre is closed, or long before it opens or after it closes."""
    more = {"margin": margin_min, "limit": limit}
    return list(await connection.execute(_WHILE_CLOSED, {**scope.parameters, **more}))


async def at_two_centers(connection: Connection, scope: Scope, *, limit: int) -> Rows:
    """Give stays during which the same child, or one of its name and birth date, was in at another centre."""
    return list(await connection.execute(_AT_TWO_CENTERS, {**scope.parameters, "limit": limit}))


async def rounding(connection: Connection, scope: Scope, *, entries_min: int, percent_min: int) -> Rows:
    """Give who attests more often than `percent_min` at whole quarters of an hour, of at least so many entries."""
    more = {"entries": entries_min, "percent": percent_min}
    return list(await connection.execute(_ROUNDING, {**scope.parameters, **more}))


async def _rows(connection: Connection, statement: TextClause, scope: Scope) -> Rows:
    return list(await connection.execute(statement, scope.parameters))


# A stay is at most days long: what began earlier is looked for a month back, by the index on begins.
_OF_PERIOD: Final = """
    stay.center_id = :center_id AND stay.subject_kind = 'child'
    AND stay.started_at >= CAST(:since AS timestamptz) - interval '31 days' AND stay.started_at < :before
    AND coalesce(stay.ended_at, :as_of) > :since
"""
_DAYS: Final = """
    days AS (
        SELECT CAST(day AS date) AS day
        FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp), interval '1 day') AS day
        WHERE extract(isodow FROM day) < 6 AND NOT EXISTS (
            SELECT FROM center_calendar AS closed
            WHERE closed.center_id = :center_id AND closed.kind = 'closure'
              AND CAST(day AS date) BETWEEN closed.first_day AND closed.last_day
        )
    )
"""
_LOCAL_DAY: Final = "CAST({} AT TIME ZONE :zone AS date)"
_ATTENDANCE: Final = text(f"""
    WITH booked AS (
        SELECT DISTINCT booking.child_id, booking.day
        FROM booking JOIN service ON service.center_id = booking.center_id AND service.id = booking.service_id
        WHERE booking.center_id = :center_id AND booking.starts_at >= :since AND booking.starts_at < :before
          AND booking.status IN ('confirmed', 'attended', 'no_show') AND booking.ends_at <= :as_of
          AND service.unit <> 'item'
    ), present AS (
        SELECT DISTINCT stay.subject_id AS child_id, CAST(day AS date) AS day
        FROM stay
        CROSS JOIN LATERAL generate_series(
            CAST({_LOCAL_DAY.format("stay.started_at")} AS timestamp),
            CAST({_LOCAL_DAY.format("coalesce(stay.ended_at, :as_of)")} AS timestamp), interval '1 day') AS day
        WHERE {_OF_PERIOD} AND CAST(day AS date) BETWEEN :first AND :last
    ), announced AS (
        SELECT DISTINCT absence.child_id, CAST(day AS date) AS day
        FROM absence
        CROSS JOIN LATERAL generate_series(
            CAST(greatest(absence.first_day, CAST(:first AS date)) AS timestamp),
            CAST(least(absence.last_day, CAST(:last AS date)) AS timestamp), interval '1 day') AS day
        WHERE absence.center_id = :center_id AND absence.withdrawn_at IS NULL AND absence.kind <> 'unexplained'
          AND absence.last_day >= :first AND absence.first_day <= :last
    )
    SELECT day,
           count(*) FILTER (WHERE is_booked) AS booked,
           count(*) FILTER (WHERE is_booked AND is_present) AS attended,
           count(*) FILTER (WHERE is_booked AND NOT is_present AND is_announced) AS announced,
           count(*) FILTER (WHERE is_booked AND NOT is_present AND NOT is_announced) AS unexplained,
           count(*) FILTER (WHERE is_present AND NOT is_booked) AS unbooked
    FROM (
        SELECT day, booked.child_id IS NOT NULL AS is_booked, present.child_id IS NOT NULL AS is_present,
               announced.child_id IS NOT NULL AS is_announced
        FROM booked FULL JOIN present USING (child_id, day) LEFT JOIN announced USING (child_id, day)
    ) AS child_day
    GROUP BY day ORDER BY day
""")
# A sum over everything that begins and ends gives how many are in at each mark, whatever the length of the period.
_OCCUPANCY: Final = text(f"""
    WITH {_DAYS}, marks AS (
        SELECT CAST(extract(epoch FROM mark) / 900 AS bigint) AS number, mark AT TIME ZONE :zone AS shown
        FROM generate_series(CAST(:since AS timestamptz), CAST(:before AS timestamptz) - interval '1 minute',
                             interval '15 minutes') AS mark
        WHERE mark <= :as_of
    ), spans AS (
        SELECT started_at AS begins, coalesce(ended_at, CAST(:as_of AS timestamptz)) AS ends, 1 AS is_in, 0 AS is_booked
        FROM stay WHERE {_OF_PERIOD}
        UNION ALL
        SELECT booking.starts_at, booking.ends_at, 0, 1
        FROM booking JOIN service ON service.center_id = booking.center_id AND service.id = booking.service_id
        WHERE booking.center_id = :center_id AND booking.starts_at < :before
          AND booking.starts_at >= CAST(:since AS timestamptz) - interval '26 hours' AND booking.ends_at > :since
          AND booking.status IN ('requested', 'confirmed', 'attended', 'no_show') AND service.unit <> 'item'
    ), steps AS (
        SELECT number, sum(is_in) AS is_in, sum(is_booked) AS is_booked
        FROM (
            SELECT CAST(ceil(extract(epoch FROM greatest(begins, CAST(:since AS timestamptz))) / 900) AS bigint)
                   AS number, is_in, is_booked
            FROM spans
            UNION ALL
            SELECT CAST(ceil(extract(epoch FROM ends) / 900) AS bigint), -is_in, -is_booked FROM spans
        ) AS step GROUP BY number
    ), counted AS (
        SELECT shown, sum(coalesce(is_in, 0)) OVER upto AS is_in, sum(coalesce(is_booked, 0)) OVER upto AS is_booked
        FROM marks LEFT JOIN steps USING (number) WINDOW upto AS (ORDER BY number)
    )
    SELECT CAST(extract(isodow FROM shown) AS integer) AS weekday,
           CAST(extract(hour FROM shown) * 60 + extract(minute FROM shown) AS integer) AS minute,
           count(*) AS marks, avg(is_in) AS present, max(is_in) AS present_most, avg(is_booked) AS booked,
           max(is_booked) AS booked_most
    FROM counted JOIN days ON days.day = CAST(shown AS date)
    GROUP BY 1, 2 HAVING max(is_in) > 0 OR max(is_booked) > 0
    ORDER BY 1, 2
""")
_QUARTER: Final = "CAST(extract(hour FROM {0}) * 60 + floor(extract(minute FROM {0}) / 15) * 15 AS integer)"
_ARRIVALS: Final = text(f"""
    SELECT {_QUARTER.format("moment")} AS minute, sum(came) AS came, sum(went) AS went
    FROM (
        SELECT started_at AT TIME ZONE :zone AS moment, 1 AS came, 0 AS went FROM stay
        WHERE {_OF_PERIOD} AND started_at >= :since
        UNION ALL
        SELECT ended_at AT TIME ZONE :zone, 0, 1 FROM stay
        WHERE {_OF_PERIOD} AND ended_at < :before AND NOT assumed
    ) AS moments GROUP BY 1 ORDER BY 1
""")
# The first arrival of a day against the first begin that is booked, the last departure against the last end.
_PUNCTUALITY: Final = text(f"""
    WITH planned AS (
        SELECT booking.child_id, booking.day, min(booking.starts_at) AS begins, max(booking.ends_at) AS ends
        FROM booking JOIN service ON service.center_id = booking.center_id AND service.id = booking.service_id
        WHERE booking.center_id = :center_id AND booking.starts_at >= :since AND booking.starts_at < :before
          AND booking.status IN ('confirmed', 'attended', 'no_show') AND booking.ends_at <= :as_of
          AND service.unit <> 'item'
        GROUP BY booking.child_id, booking.day
    ), real AS (
        SELECT subject_id AS child_id, {_LOCAL_DAY.format("started_at")} AS day, min(started_at) AS came,
               max(ended_at) AS went, bool_or(assumed OR ended_at IS NULL) AS is_unsure
        FROM stay WHERE {_OF_PERIOD} AND started_at >= :since GROUP BY 1, 2
    ), compared AS (
        SELECT extract(epoch FROM came - begins) / 60 AS arrival,
               CASE WHEN NOT is_unsure THEN extract(epoch FROM went - ends) / 60 END AS departure
        FROM planned JOIN real USING (child_id, day)
    )
    SELECT count(*) AS arrivals,
           count(*) FILTER (WHERE arrival < -15) AS early,
           count(*) FILTER (WHERE arrival >= -15 AND arrival <= 15) AS on_time,
           count(*) FILTER (WHERE arrival > 15) AS late,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY arrival) AS arrival_median,
           count(departure) AS departures,
           count(*) FILTER (WHERE departure > 0) AS after_end,
           count(*) FILTER (WHERE departure > 15) AS long_after_end,
           coalesce(sum(departure) FILTER (WHERE departure > 0), 0) AS minutes_after_end,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY departure) AS departure_median
    FROM compared
""")
_ROOMS: Final = text(f"""
    WITH inside AS (
        SELECT stay.subject_id, stay.started_at AS begins, coalesce(stay.ended_at, CAST(:as_of AS timestamptz)) AS ends,
               CASE WHEN jsonb_array_length(stay.rooms) = 0
                    THEN jsonb_build_array(jsonb_build_array(extract(epoch FROM stay.started_at) * 1000, ''))
                    ELSE stay.rooms END AS rooms
        FROM stay WHERE {_OF_PERIOD}
    ), turns AS (
        SELECT inside.subject_id, inside.begins, turn.value ->> 1 AS room_id, inside.ends AS stay_ends,
               to_timestamp(CAST(turn.value ->> 0 AS double precision) / 1000) AS at,
               lead(to_timestamp(CAST(turn.value ->> 0 AS double precision) / 1000))
                   OVER (PARTITION BY inside.subject_id, inside.begins ORDER BY turn.ordinality) AS next_at
        FROM inside CROSS JOIN LATERAL jsonb_array_elements(inside.rooms) WITH ORDINALITY AS turn
    ), parts AS (
        SELECT subject_id, room_id, at,
               extract(epoch FROM least(coalesce(next_at, stay_ends), CAST(:before AS timestamptz))
                                  - greatest(at, CAST(:since AS timestamptz))) / 60 AS minutes
        FROM turns
    )
    SELECT parts.room_id,
           CAST(extract(year FROM age({_LOCAL_DAY.format("parts.at")}, person.birth_date)) AS integer) AS years,
           sum(parts.minutes) AS minutes, count(DISTINCT parts.subject_id) AS children
    FROM parts LEFT JOIN person ON person.center_id = :center_id AND person.id = parts.subject_id
    WHERE parts.minutes > 0 GROUP BY 1, 2 ORDER BY 1, 2
""")
_OPEN_DAYS: Final = text(f"""
    WITH {_DAYS}
    SELECT count(*) FROM days WHERE day <= {_LOCAL_DAY.format("CAST(:as_of AS timestamptz)")}
""")
# An event leaves out what is at its default. A pattern reads it out of the body in a tenth of the time of reading JSON,
# and cannot fail on what a newer desk wrote; within a text the quotes would be escaped.
_METHOD: Final = """
    coalesce(substring(convert_from(fact.body, 'UTF8') FROM '"auth_method"[ ]*:[ ]*"([^"]*)"'), 'staff_attested')
"""
_STAFF: Final = """substring(convert_from(fact.body, 'UTF8') FROM '"staff_id"[ ]*:[ ]*"([^"]*)"')"""
_ENTRIES: Final = """
    fact.center_id = :center_id AND fact.corrected_at >= :since AND fact.corrected_at < :before
    AND fact.kind IN ('check_in', 'check_out')
"""
_MONTH: Final = "CAST(date_trunc('month', {} AT TIME ZONE :zone) AS date)"
_RECORDS: Final = text(f"""
    SELECT {_MONTH.format("fact.corrected_at")} AS month, count(*) AS entries,
           count(*) FILTER (WHERE {_METHOD} = 'staff_attested') AS attested,
           count(*) FILTER (WHERE fact.recorded_at - fact.occurred_at > make_interval(mins => :retroactive))
               AS retroactive,
           count(*) FILTER (WHERE fact.received_at - fact.recorded_at > make_interval(mins => :late)) AS sent_late
    FROM attendance_event AS fact WHERE {_ENTRIES} GROUP BY 1 ORDER BY 1
""")
_ASSUMED: Final = text(f"""
    SELECT {_MONTH.format("started_at")} AS month, count(*) AS stays, count(*) FILTER (WHERE assumed) AS assumed,
           count(*) FILTER (WHERE disputed) AS disputed
    FROM stay WHERE {_OF_PERIOD} AND started_at >= :since GROUP BY 1 ORDER BY 1
""")
_STAYS: Final = text("""
    SELECT stay.subject_id, stay.subject_kind, stay.stay_id, stay.started_at, stay.ended_at, stay.check_in,
           stay.check_out, stay.disputed, stay.assumed, stay.rooms
    FROM stay
    WHERE stay.center_id = :center_id AND stay.subject_kind IN ('child', 'person')
      AND coalesce(stay.started_at, stay.ended_at) >= CAST(:since AS timestamptz) - interval '31 days'
      AND coalesce(stay.started_at, stay.ended_at) < :before
      AND coalesce(stay.ended_at, :as_of) > :since
    ORDER BY stay.subject_id, stay.ordinal
""")
_BOOKED: Final = text("""
    SELECT id, child_id, service_id, day, starts_at, ends_at, status, chargeable
    FROM booking
    WHERE center_id = :center_id AND starts_at >= CAST(:since AS timestamptz) - interval '26 hours'
      AND starts_at < CAST(:before AS timestamptz) + interval '26 hours'
    ORDER BY child_id, starts_at, id
""")
_WHILE_CLOSED: Final = text(f"""
    SELECT found.*, closed.reason AS closure FROM (
        SELECT stay.stay_id, stay.subject_id, stay.started_at, stay.started_at AT TIME ZONE :zone AS shown,
               CAST(center.opens_at AS interval) AS opens, CAST(center.closes_at AS interval) AS closes
        FROM stay JOIN center ON center.id = stay.center_id
        WHERE {_OF_PERIOD} AND stay.started_at >= :since
    ) AS found
    LEFT JOIN LATERAL (
        SELECT reason FROM center_calendar
        WHERE center_id = :center_id AND kind = 'closure' AND CAST(found.shown AS date) BETWEEN first_day AND last_day
        ORDER BY first_day LIMIT 1
    ) AS closed ON true
    WHERE closed.reason IS NOT NULL OR extract(isodow FROM shown) > 5
       OR (opens < closes AND (CAST(CAST(shown AS time) AS interval) < opens - make_interval(mins => :margin)
                               OR CAST(CAST(shown AS time) AS interval) > closes + make_interval(mins => :margin)))
    ORDER BY found.started_at DESC, found.stay_id LIMIT :limit
""")
_AT_TWO_CENTERS: Final = text("""
    WITH ours AS (
        SELECT stay.stay_id, stay.subject_id, stay.started_at, coalesce(stay.ended_at, :as_of) AS ended_at,
               person.given_name, person.family_name, person.birth_date, center.organisation_id
        FROM stay
        JOIN person ON person.center_id = stay.center_id AND person.id = stay.subject_id
        JOIN center ON center.id = stay.center_id
        WHERE stay.center_id = :center_id AND stay.subject_kind = 'child'
          AND stay.started_at >= :since AND stay.started_at < :before
    ), twins AS (
        SELECT DISTINCT ours.subject_id, other.center_id, other.id
        FROM (SELECT DISTINCT subject_id, given_name, family_name, birth_date, organisation_id FROM ours) AS ours
        JOIN center AS there ON there.organisation_id = ours.organisation_id AND there.id <> :center_id
        JOIN person AS other ON other.center_id = there.id AND other.kind = 'child'
         AND (other.id = ours.subject_id OR (lower(other.given_name) = lower(ours.given_name)
              AND lower(other.family_name) = lower(ours.family_name) AND other.birth_date = ours.birth_date))
    )
    SELECT ours.stay_id, ours.subject_id, ours.started_at, ours.ended_at, twins.center_id AS other_center_id,
           stay.started_at AS other_started_at, coalesce(stay.ended_at, :as_of) AS other_ended_at
    FROM ours JOIN twins USING (subject_id)
    JOIN stay ON stay.center_id = twins.center_id AND stay.subject_id = twins.id
     AND stay.started_at < ours.ended_at AND coalesce(stay.ended_at, :as_of) > ours.started_at
    ORDER BY ours.started_at DESC, ours.stay_id LIMIT :limit
""")
_ROUNDING: Final = text(f"""
    WITH attested AS (
        SELECT {_STAFF} AS staff_id, fact.event_id, fact.child_id, fact.occurred_at,
               mod(extract(epoch FROM fact.occurred_at), 900) = 0 AS is_whole
        FROM attendance_event AS fact WHERE {_ENTRIES}
    ), counted AS (
        SELECT staff_id, count(*) AS entries, count(*) FILTER (WHERE is_whole) AS whole, max(occurred_at) AS last_at,
               (array_agg(event_id ORDER BY occurred_at DESC) FILTER (WHERE is_whole))[1:{ROUNDED_EXAMPLES_MAX}]
                   AS examples
        FROM attested WHERE staff_id IS NOT NULL GROUP BY staff_id
    )
    SELECT counted.*, person.given_name, person.family_name,
           ARRAY(SELECT stay.stay_id FROM stay
                 JOIN attendance_event AS fact ON fact.center_id = :center_id AND fact.event_id = ANY(counted.examples)
                 WHERE stay.center_id = :center_id AND stay.subject_id = fact.child_id
                   AND fact.event_id IN (stay.check_in, stay.check_out)
                 ORDER BY stay.started_at DESC) AS stay_ids
    FROM counted LEFT JOIN person ON person.center_id = :center_id AND CAST(person.id AS text) = counted.staff_id
    WHERE entries >= :entries AND whole * 100 >= entries * :percent
    ORDER BY whole DESC, staff_id
""")
