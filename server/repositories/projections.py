"""The SQL of stays and reviews: where a fold can go on from, and what it came to, for many subjects at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.clock import datetime_of, ms_of
from server.repositories.attendance import CenterKey
from sync.records import (
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    LockRecord,
    PickupRecord,
    StaffRecord,
    StatusChange,
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """An arrival that found nobody in: the number and id of its stay, and its corrected time (UTC milliseconds)."""

    ordinal: int
    stay_id: str
    began_ms: int


@dataclass(frozen=True, slots=True)
class NewStay:
    """A row of `stay`; see there."""

    ordinal: int
    stay_id: str
    is_fresh: bool
    began_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    check_in: str | None
    check_out: str | None
    corroborated_by: Sequence[str]
    disputed: bool
    assumed: bool
    rooms: Sequence[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class NewReview:
    """A row of `review`; see there."""

    finding: str
    kind: str
    severity: str
    state: str
    span: int
    event_ids: Sequence[str]
    since: datetime | None
    found_at: datetime | None
    answer: str = ""
    answered_by: str | None = None


@dataclass(slots=True)
class SubjectRows:
    """All rows of a subject from the stay `first` on; -1: also what came before any, which answered reviews count as.

    `end` is the number behind its last stay. A stay that is known to stand as it is may be left out of `stays`.
    Answers change by acts alone, and a subject with a new act is folded from its first fact.
    """

    center_id: str
    subject_id: str
    subject_kind: str
    first: int
    end: int = 0
    stays: list[NewStay] = field(default_factory=list)
    reviews: list[NewReview] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KnownChild:
    """A child of a centre: what its record says of its days, if anything, and who may collect it, how that came to be.

    The record is without what is not asked here.
    """

    record: ChildRecord | None
    pickups: list[PickupRecord] = field(default_factory=list)


async def fresh_before(connection: AsyncConnection, before_ms: Mapping[CenterKey, int]) -> dict[CenterKey, Fresh]:
    """Give the last arrival of each subject that found nobody in, before a moment (UTC milliseconds)."""
    columns = {
        "center_ids": [center_id for center_id, _ in before_ms],
        "subject_ids": [subject_id for _, subject_id in before_ms],
        "befores": [datetime_of(ms) for ms in before_ms.values()],
    }
    return {
        (str(row.center_id), str(row.subject_id)): Fresh(row.ordinal, str(row.stay_id), ms_of(row.began_at))
        for row in await connection.execute(_FRESH_BEFORE, columns)
    }


async def write_stays(connection: AsyncConnection, subjects: Sequence[SubjectRows]) -> None:
    """Put the stays of each subject, from `first` on, in the place of what stood there."""
    if subjects:
        rows = [(one, stay) for one in subjects for stay in one.stays]
        scope = {**_scope(subjects), "firsts": [one.end for one in subjects]}
        await connection.execute(_WRITE_STAYS, {**scope, **_columns(rows, "stay")})


async def write_reviews(connection: AsyncConnection, subjects: Sequence[SubjectRows]) -> None:
    """Put the reviews of each subject, from `first` on, in the place of what stood there."""
    if subjects:
        rows = [(one, review) for one in subjects for review in one.reviews]
        await connection.execute(_WRITE_REVIEWS, {**_scope(subjects), **_columns(rows, "review")})


def _scope(subjects: Sequence[SubjectRows]) -> dict[str, list[Any]]:
    return {
        "center_ids": [one.center_id for one in subjects],
        "subject_ids": [one.subject_id for one in subjects],
        "firsts": [one.first for one in subjects],
    }


async def calendars(connection: AsyncConnection, center_ids: Iterable[str]) -> dict[str, CenterRecord]:
    """Give the centres with their closures and locks, as records without what is not asked here."""
    found: dict[str, CenterRecord] = {}
    for row in await connection.execute(_CALENDARS, {"center_ids": list(center_ids)}):
        center_id = str(row.id)
        record = found.setdefault(center_id, CenterRecord(code="", name="", time_zone=row.time_zone))
        if row.kind == "closure":
            days = ClosureRecord(first_day=row.first_day.isoformat(), last_day=row.last_day.isoformat())
            closures = (*(record.closures or ()), days)
            found[center_id] = msgspec.structs.replace(record, closures=closures)
        elif row.kind == "lock":
            lock = LockRecord(
                first_day=row.first_day.isoformat(), last_day=row.last_day.isoformat(), locked_at_ms=ms_of(row.at)
            )
            found[center_id] = msgspec.structs.replace(record, locks=(*(record.locks or ()), lock))
    return found


async def children(connection: AsyncConnection, keys: Iterable[CenterKey]) -> dict[CenterKey, KnownChild]:
    """Give those of the ids that are children of their centres, whether still enrolled or not."""
    wanted = list(keys)
    columns = {"center_ids": [center_id for center_id, _ in wanted], "child_ids": [child_id for _, child_id in wanted]}
    found: dict[CenterKey, KnownChild] = {}
    for row in await connection.execute(_CHILDREN, columns):
        key = (str(row.center_id), str(row.id))
        if key not in found:
            record = ChildRecord(given_name="", family_name="", enrolled_from=_day(row.enrolled_from))
            found[key] = KnownChild(record if row.enrolled_from else None)
        if row.adult_id is not None:
            history = tuple(StatusChange(since_ms=since_ms, status=status) for since_ms, status in row.history)
            pickup = PickupRecord(
                child_id=key[1],
                adult_id=str(row.adult_id),
                status=row.status,
                valid_from=_day(row.valid_from),
                valid_to=_day(row.valid_to),
                history=history,
            )
            found[key].pickups.append(pickup)
    return found


async def staff(connection: AsyncConnection, center_ids: Iterable[str]) -> dict[str, dict[str, StaffRecord]]:
    """Give by centre who of the staff was employed when, where somebody said so, without what is not asked here."""
    found: dict[str, dict[str, StaffRecord]] = {}
    for row in await connection.execute(_STAFF, {"center_ids": list(center_ids)}):
        found.setdefault(str(row.center_id), {})[str(row.person_id)] = StaffRecord(
            given_name="",
            family_name="",
            role="",
            employed_from=row.employed_from.isoformat() if row.employed_from else msgspec.UNSET,
            employed_to=row.employed_to.isoformat() if row.employed_to else msgspec.UNSET,
        )
    return found


async def attested_by(
    connection: AsyncConnection, center_id: str, staff_ids: Sequence[str], *, since: datetime, before: datetime
) -> list[str]:
    """Give the subjects of the events that these members of staff attested before `since` or from `before` on.

    Of a subject with voids, corrections or answers every event counts, whenever it was: they may have moved it. Now and
    then a subject is given too many, whose event names one of them as somebody else.
    """
    if not staff_ids:
        return []
    needles = [staff_id.encode() for staff_id in staff_ids]
    parameters = {"center_id": center_id, "needles": needles, "since": since, "before": before}
    return [str(row.child_id) for row in await connection.execute(_ATTESTED_BY, parameters)]


async def forget(connection: AsyncConnection, center_id: str) -> None:
    """Take all projections of a centre away, to be made again in the same transaction; nobody is told of that."""
    for statement in _FORGET:
        await connection.execute(statement, {"center_id": center_id})


async def rows_of_center(connection: AsyncConnection, center_id: str, table: str) -> dict[tuple[str, str], str]:
    """Give every row of `stay` or `review` of a centre as text, by subject and key; for a comparison."""
    statement = {"stay": _STAYS_AS_TEXT, "review": _REVIEWS_AS_TEXT}[table]
    rows = await connection.execute(statement, {"center_id": center_id})
    return {(str(row.subject_id), str(row.key)): row.content for row in rows}


async def subjects(connection: AsyncConnection, center_id: str, *, after: str, limit: int) -> list[str]:
    """Give who has facts, in order, behind one of them."""
    parameters = {"center_id": center_id, "after": after or _NOBODY, "limit": limit}
    return [str(row.child_id) for row in await connection.execute(_SUBJECTS, parameters)]


async def rules(connection: AsyncConnection) -> dict[str, int]:
    """Give by which rules the projections of each centre with a log were last made; 0: never."""
    return {str(row.center_id): row.rules for row in await connection.execute(_RULES)}


async def note_rules(connection: AsyncConnection, center_id: str, number: int) -> None:
    """Write down by which rules the projections of a centre were made."""
    await connection.execute(_NOTE_RULES, {"center_id": center_id, "rules": number})


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _columns(rows: Sequence[tuple[SubjectRows, Any]], kind: str) -> dict[str, list[Any]]:
    """The rows as arrays, one for each column; arrays within them travel as text."""
    names = NewStay.__slots__ if kind == "stay" else NewReview.__slots__
    columns: dict[str, list[Any]] = {
        "row_center_ids": [one.center_id for one, _ in rows],
        "row_subject_ids": [one.subject_id for one, _ in rows],
        "row_subject_kinds": [one.subject_kind for one, _ in rows],
    }
    for name in names:
        values = [getattr(row, name) for _, row in rows]
        if name in _ARRAYS:
            values = ["{" + ",".join(value) + "}" for value in values]
        elif name == "rooms":
            values = [msgspec.json.encode(value).decode() for value in values]
        columns[f"row_{name}"] = values
    return columns


_ARRAYS: Final = frozenset({"corroborated_by", "event_ids"})
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_SCOPE: Final = """
    unnest(CAST(:center_ids AS uuid[]), CAST(:subject_ids AS uuid[]), CAST(:firsts AS integer[])
"""
_FRESH_BEFORE: Final = text("""
    SELECT line.center_id, line.subject_id, found.ordinal, found.stay_id, found.began_at
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:subject_ids AS uuid[]), CAST(:befores AS timestamptz[]))
         AS line(center_id, subject_id, before)
    CROSS JOIN LATERAL (
        SELECT ordinal, stay_id, began_at FROM stay
        WHERE stay.center_id = line.center_id AND stay.subject_id = line.subject_id AND is_fresh
          AND began_at < line.before
        ORDER BY ordinal DESC LIMIT 1
    ) AS found
    ORDER BY 1, 2
""")
# A row is either taken away or written, never both: one statement sees one state of the table.
_WRITE_STAYS: Final = text(f"""
    WITH gone AS (
        DELETE FROM stay USING {_SCOPE}) AS line(center_id, subject_id, stop)
        WHERE stay.center_id = line.center_id AND stay.subject_id = line.subject_id AND stay.ordinal >= line.stop
    )
    INSERT INTO stay (center_id, subject_id, subject_kind, ordinal, stay_id, is_fresh, began_at, started_at, ended_at,
                      check_in, check_out, corroborated_by, disputed, assumed, rooms)
    SELECT line.center_id, line.subject_id, line.subject_kind, line.ordinal, line.stay_id, line.is_fresh,
           line.began_at, line.started_at, line.ended_at, line.check_in, line.check_out,
           CAST(line.corroborated_by AS uuid[]), line.disputed, line.assumed, CAST(line.rooms AS jsonb)
    FROM unnest(CAST(:row_center_ids AS uuid[]), CAST(:row_subject_ids AS uuid[]), CAST(:row_subject_kinds AS text[]),
                CAST(:row_ordinal AS integer[]), CAST(:row_stay_id AS uuid[]), CAST(:row_is_fresh AS boolean[]),
                CAST(:row_began_at AS timestamptz[]), CAST(:row_started_at AS timestamptz[]),
                CAST(:row_ended_at AS timestamptz[]), CAST(:row_check_in AS uuid[]), CAST(:row_check_out AS uuid[]),
                CAST(:row_corroborated_by AS text[]), CAST(:row_disputed AS boolean[]),
                CAST(:row_assumed AS boolean[]), CAST(:row_rooms AS text[]))
         AS line(center_id, subject_id, subject_kind, ordinal, stay_id, is_fresh, began_at, started_at, ended_at,
                 check_in, check_out, corroborated_by, disputed, assumed, rooms)
    ON CONFLICT (center_id, subject_id, ordinal) DO UPDATE
    SET subject_kind = excluded.subject_kind, stay_id = excluded.stay_id, is_fresh = excluded.is_fresh,
        began_at = excluded.began_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
        check_in = excluded.check_in, check_out = excluded.check_out, corroborated_by = excluded.corroborated_by,
        disputed = excluded.disputed, assumed = excluded.assumed, rooms = excluded.rooms
""")
_WRITE_REVIEWS: Final = text(f"""
    WITH fresh AS (
        SELECT line.*
        FROM unnest(CAST(:row_center_ids AS uuid[]), CAST(:row_subject_ids AS uuid[]),
                    CAST(:row_subject_kinds AS text[]), CAST(:row_finding AS text[]), CAST(:row_kind AS text[]),
                    CAST(:row_severity AS text[]), CAST(:row_state AS text[]), CAST(:row_span AS integer[]),
                    CAST(:row_event_ids AS text[]), CAST(:row_since AS timestamptz[]),
                    CAST(:row_found_at AS timestamptz[]), CAST(:row_answer AS text[]),
                    CAST(:row_answered_by AS uuid[]))
             AS line(center_id, subject_id, subject_kind, finding, kind, severity, state, span, event_ids, since,
                     found_at, answer, answered_by)
    ), gone AS (
        DELETE FROM review USING {_SCOPE}) AS line(center_id, subject_id, first)
        WHERE review.center_id = line.center_id AND review.subject_id = line.subject_id
          AND review.span >= line.first
          AND NOT EXISTS (SELECT FROM fresh WHERE fresh.center_id = review.center_id
                          AND fresh.subject_id = review.subject_id AND fresh.finding = review.finding)
    )
    INSERT INTO review (center_id, subject_id, subject_kind, finding, kind, severity, state, span, event_ids, since,
                        found_at, answer, answered_by)
    SELECT center_id, subject_id, subject_kind, finding, kind, severity, state, span, CAST(event_ids AS uuid[]), since,
           found_at, answer, answered_by
    FROM fresh
    ON CONFLICT (center_id, subject_id, finding) DO UPDATE
    SET subject_kind = excluded.subject_kind, kind = excluded.kind, severity = excluded.severity,
        state = excluded.state, span = excluded.span, event_ids = excluded.event_ids, since = excluded.since,
        found_at = excluded.found_at, answer = excluded.answer, answered_by = excluded.answered_by
""")
_CALENDARS: Final = text("""
    SELECT center.id, center.time_zone, days.kind, days.first_day, days.last_day, days.at
    FROM center LEFT JOIN center_calendar AS days ON days.center_id = center.id
    WHERE center.id = ANY(CAST(:center_ids AS uuid[]))
    ORDER BY center.id, days.first_day, days.id
""")
_CHILDREN: Final = text("""
    SELECT person.center_id, person.id, profile.enrolled_from, pickup.adult_id, pickup.status, pickup.valid_from,
           pickup.valid_to, pickup.history
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:child_ids AS uuid[])) AS line(center_id, id)
    JOIN person USING (center_id, id)
    LEFT JOIN child_profile AS profile ON profile.center_id = person.center_id AND profile.child_id = person.id
    LEFT JOIN pickup_authorisation AS pickup ON pickup.center_id = person.center_id AND pickup.child_id = person.id
    WHERE person.kind = 'child'
    ORDER BY person.center_id, person.id, pickup.id
""")
_STAFF: Final = text("""
    SELECT center_id, person_id, employed_from, employed_to FROM staff_profile
    WHERE center_id = ANY(CAST(:center_ids AS uuid[])) AND (employed_from IS NOT NULL OR employed_to IS NOT NULL)
    ORDER BY center_id, person_id
""")
# An event holds the id as text: to look for its bytes is a tenth of reading the JSON.
_ATTESTED_BY: Final = text("""
    SELECT DISTINCT fact.child_id
    FROM attendance_event AS fact
    CROSS JOIN unnest(CAST(:needles AS bytea[])) AS needle
    WHERE fact.center_id = :center_id AND position(needle IN fact.body) > 0
      AND (
          fact.corrected_at < :since OR fact.corrected_at >= :before
          OR EXISTS (
              SELECT FROM attendance_event AS act
              WHERE act.center_id = fact.center_id AND act.child_id = fact.child_id
                AND act.kind IN ('void', 'correct', 'review_resolved')
          )
      )
    ORDER BY fact.child_id
""")
_FORGET: Final = (
    text("SELECT set_config('rollcall.rebuilding', 'on', true)"),
    text("DELETE FROM stay WHERE center_id = :center_id"),
    text("DELETE FROM review WHERE center_id = :center_id"),
)
_STAYS_AS_TEXT: Final = text("""
    SELECT subject_id, CAST(ordinal AS text) AS key, CAST(stay AS text) AS content
    FROM stay WHERE center_id = :center_id ORDER BY subject_id, ordinal
""")
_REVIEWS_AS_TEXT: Final = text("""
    SELECT subject_id, finding AS key, CAST(review AS text) AS content
    FROM review WHERE center_id = :center_id ORDER BY subject_id, finding
""")
_SUBJECTS: Final = text("""
    SELECT DISTINCT child_id FROM attendance_event
    WHERE center_id = :center_id AND child_id > CAST(:after AS uuid) ORDER BY child_id LIMIT :limit
""")
_RULES: Final = text("""
    SELECT head.center_id, coalesce(state.rules, 0) AS rules
    FROM center_head AS head LEFT JOIN projection_state AS state USING (center_id) ORDER BY head.center_id
""")
_NOTE_RULES: Final = text("""
    INSERT INTO projection_state (center_id, rules) VALUES (:center_id, :rules)
    ON CONFLICT (center_id) DO UPDATE SET rules = excluded.rules
""")
