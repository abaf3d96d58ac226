"""The SQL of entries that were kept aside: what was told, by which desk, and what people decided of it.

Those of the server's own desk are none of them: whoever entered one was told at once that there is no such child.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from server.models.devices import DeviceKind
from server.models.set_aside import SetAsideAnswer
from server.repositories.journals import unescaped
from server.repositories.unit_of_work import Connection, UnitOfWork
from sync.journal import Outcome, ParkReason


@dataclass(frozen=True, slots=True)
class SetAsideEntry:
    """An entry as its desk signed it, why it was kept aside, and the answer if there is one (all empty if not)."""

    hash: bytes
    device_id: str
    device_name: str
    incarnation: str
    seq: int
    event_id: str
    kind: str
    body: bytes
    hlc: int
    reason: ParkReason
    received_at: datetime
    verdict: str
    answer_event_id: str
    answer_reason: str
    answered_at: datetime | None
    answered_by: str


async def page(
    connection: Connection, center_id: str, *, answered: bool | None, after: tuple[datetime, bytes] | None, limit: int
) -> list[SetAsideEntry]:
    """Give entries of a centre, those that came last first, behind a moment and a hash; `answered` None: all."""
    parameters = {
        "center_id": center_id,
        "answered": answered,
        "after_at": after[0] if after else None,
        "after_hash": after[1] if after else b"",
        "limit": limit,
    }
    return [_entry(row) for row in await connection.execute(_PAGE, parameters)]


async def find(connection: Connection, center_id: str, entry_hash: bytes) -> SetAsideEntry | None:
    """Give an entry by its hash."""
    rows = await connection.execute(_FIND, {"center_id": center_id, "hash": entry_hash})
    return next((_entry(row) for row in rows), None)


async def of_event(connection: Connection, center_id: str, event_id: str, *, limit: int) -> list[SetAsideEntry]:
    """Give the entries without an answer that tell of one event: every desk that saw it may have told it."""
    rows = await connection.execute(_OF_EVENT, {"center_id": center_id, "event_id": event_id, "limit": limit})
    return [_entry(row) for row in rows]


async def count_open(connection: Connection, center_id: str) -> int:
    """Give how many entries nobody has answered."""
    return int(await connection.scalar(_COUNT, {"center_id": center_id}) or 0)


def add_answers(unit: UnitOfWork, answers: Sequence[SetAsideAnswer]) -> None:
    """Keep answers; an entry that has one already makes the transaction fail."""
    unit.session.add_all(answers)


def _entry(row: object) -> SetAsideEntry:
    values = {name: getattr(row, name) for name in SetAsideEntry.__slots__}
    for name in ("event_id", "kind", "incarnation"):
        values[name] = unescaped(values[name])
    for name in ("device_id", "answer_event_id", "answered_by"):
        values[name] = str(values[name] or "")
    values |= {"hash": bytes(values["hash"]), "body": bytes(values["body"]), "reason": ParkReason(values["reason"])}
    return SetAsideEntry(**values)


_ENTRIES: Final = f"""
    SELECT entry.hash, entry.device_id, device.name AS device_name, entry.incarnation, entry.seq, entry.event_id,
           entry.kind, entry.body, entry.hlc, entry.reason, entry.received_at,
           coalesce(said.verdict, '') AS verdict, said.event_id AS answer_event_id,
           coalesce(said.reason, '') AS answer_reason, said.answered_at,
           coalesce(account.display_name, '') AS answered_by
    FROM journal_entry AS entry
    JOIN device ON device.id = entry.device_id
    LEFT JOIN set_aside_answer AS said ON said.center_id = entry.center_id AND said.entry_hash = entry.hash
    LEFT JOIN user_account AS account ON account.id = said.answered_by
    WHERE entry.center_id = :center_id AND entry.outcome = {Outcome.PARKED:d} AND device.kind <> '{DeviceKind.SERVER}'
"""
_PAGE: Final = text(f"""
    {_ENTRIES}
      AND (CAST(:answered AS boolean) IS NULL OR (said.verdict IS NOT NULL) = CAST(:answered AS boolean))
      AND (CAST(:after_at AS timestamptz) IS NULL OR (entry.received_at, entry.hash) < (:after_at, :after_hash))
    ORDER BY entry.received_at DESC, entry.hash DESC LIMIT :limit
""")
_FIND: Final = text(f"{_ENTRIES} AND entry.hash = :hash ORDER BY entry.received_at LIMIT 1")
_OF_EVENT: Final = text(f"""
    {_ENTRIES} AND entry.event_id = :event_id AND said.verdict IS NULL
    ORDER BY entry.received_at, entry.hash LIMIT :limit
""")
_COUNT: Final = text(f"""
    SELECT count(*) FROM journal_entry AS entry JOIN device ON device.id = entry.device_id
    WHERE entry.center_id = :center_id AND entry.outcome = {Outcome.PARKED:d} AND device.kind <> '{DeviceKind.SERVER}'
      AND NOT EXISTS (SELECT FROM set_aside_answer AS said
                      WHERE said.center_id = entry.center_id AND said.entry_hash = entry.hash)
""")
