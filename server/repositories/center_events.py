"""The SQL of what happened at a centre and is in no log of devices; triggers note it (migration 0019)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text

from server.repositories.job_locks import key_of
from server.repositories.unit_of_work import Connection

UNHEARD_AT_ONCE: Final = 20  # centres


@dataclass(frozen=True, slots=True)
class NotedEvent:
    """A row of `center_event`; see there."""

    number: int
    id: str
    kind: str
    entity_id: str
    child_id: str
    detail: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A row of the change log, as far as people outside are told of it; `at` is when it was appended."""

    version: int
    entity: str
    entity_id: str
    is_removed: bool
    body: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the log of a centre and its noted events end; no epoch: no log has begun."""

    epoch: str | None
    version: int
    number: int


async def listen(connection: Connection, center_id: str) -> None:
    """Let what happens at a centre be noted from now on; it cannot be stopped before the transaction ends."""
    await connection.execute(_LISTENS, {"key": _LISTENING})
    await connection.execute(_LISTEN, {"center_id": center_id})


async def stop_unheard(connection: Connection, *, centers_max: int) -> int:
    """Stop where nobody listens any more: no webhook is kept and no guardian chose anything; gives at how many centres.

    What waits goes with it. Have a transaction of its own for it: whoever is about to commit may hold these heads.
    """
    await connection.execute(_STOPS, {"key": _LISTENING})
    unheard = list(await connection.scalars(_UNHEARD, {"limit": centers_max}))
    for statement in _STOP if unheard else ():
        await connection.execute(statement, {"center_ids": unheard})
    return len(unheard)


async def ends(connection: Connection, center_id: str) -> Ends:
    """Give where a centre stands."""
    row = (await connection.execute(_ENDS, {"center_id": center_id})).one()
    return Ends(None if row.epoch is None else str(row.epoch), row.version, row.number)


async def logged_after(
    connection: Connection, center_id: str, *, version: int, entities: Sequence[str], limit: int
) -> list[LoggedChange]:
    """Give the rows of the change log after a version that are about these entities, in order."""
    parameters = {"center_id": center_id, "version": version, "entities": list(entities), "limit": limit}
    rows = await connection.execute(_LOGGED, parameters)
    return [
        LoggedChange(row.version, row.entity, row.entity_id, row.operation != _PUT, bytes(row.body), row.at)
        for row in rows
    ]


async def noted_after(connection: Connection, center_id: str, *, number: int, limit: int) -> list[NotedEvent]:
    """Give the events after a number, in order."""
    rows = await connection.execute(_NOTED, {"center_id": center_id, "number": number, "limit": limit})
    return [
        NotedEvent(row.number, str(row.id), row.kind, row.entity_id, str(row.child_id or ""), row.detail, row.at)
        for row in rows
    ]


async def note(
    connection: Connection, center_id: str, kind: str, entity_id: str, detail: dict[str, Any], at: datetime
) -> None:
    """Note an event that is in no table; it is the last thing that a transaction does."""
    parameters = {"center_id": center_id, "kind": kind, "entity_id": entity_id, "at": at}
    await connection.execute(_NOTE, {**parameters, "detail": msgspec.json.encode(detail).decode()})


async def forget(connection: Connection, *, before: datetime, rows_max: int) -> int:
    """Take away events from before a moment; gives how many, `rows_max` at most."""
    return (await connection.execute(_FORGET, {"before": before, "rows_max": rows_max})).rowcount


_PUT: Final = 1
_LISTENING: Final = key_of("who listens to events")
# Who begins to listen waits for who stops, and the other way round; they do not wait for each other among themselves.
_LISTENS: Final = text("SELECT pg_advisory_xact_lock_shared(:key)")
_STOPS: Final = text("SELECT pg_advisory_xact_lock(:key)")
_UNHEARD: Final = text("""
    SELECT center_id FROM center_event_head AS feed
    WHERE NOT EXISTS (SELECT FROM webhook WHERE webhook.center_id = feed.center_id)
      AND NOT EXISTS (SELECT FROM notification_choice AS choice WHERE choice.center_id = feed.center_id)
    ORDER BY center_id LIMIT :limit
""")
# The head first, and so nothing is noted beside it. Numbers begin anew when somebody listens again: what says how far
# guardians were told goes, too.
_STOP: Final = tuple(
    text(f"DELETE FROM {table} WHERE center_id = ANY(CAST(:center_ids AS uuid[]))")
    for table in ("center_event_head", "center_event", "notice_position")
)
_LISTEN: Final = text("""
    INSERT INTO center_event_head (center_id, number) VALUES (:center_id, 0) ON CONFLICT (center_id) DO NOTHING
""")
_ENDS: Final = text("""
    SELECT head.epoch, coalesce(head.version, 0) AS version, coalesce(feed.number, 0) AS number
    FROM (SELECT CAST(:center_id AS uuid) AS center_id) AS asked
    LEFT JOIN center_head AS head ON head.center_id = asked.center_id
    LEFT JOIN center_event_head AS feed ON feed.center_id = asked.center_id
""")
_LOGGED: Final = text("""
    SELECT version, entity, entity_id, operation, body, at FROM change_log
    WHERE center_id = :center_id AND version > :version AND entity = ANY(CAST(:entities AS text[]))
    ORDER BY version LIMIT :limit
""")
_NOTED: Final = text("""
    SELECT number, id, kind, entity_id, child_id, detail, at FROM center_event
    WHERE center_id = :center_id AND number > :number ORDER BY number LIMIT :limit
""")
_NOTE: Final = text("""
    SELECT note_center_event(CAST(:center_id AS uuid), CAST(:kind AS text), CAST(:entity_id AS text), NULL,
                             CAST(:detail AS jsonb), CAST(:at AS timestamptz))
""")
_FORGET: Final = text("""
    DELETE FROM center_event WHERE (center_id, number) IN (
        SELECT center_id, number FROM center_event WHERE at < :before ORDER BY at LIMIT :rows_max
    )
""")
