"""The SQL of facts: what a fold needs to know, and new facts as they are decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.clock import datetime_of
from server.repositories.journals import escaped, unescaped
from sync.attendance import Fact, decode_event
from sync.intake import Decision, StoredFact


async def known_children(connection: AsyncConnection, center_id: str, child_ids: Sequence[str]) -> list[str]:
    """Give those of the ids that are children of this centre, whether still enrolled or not."""
    if not child_ids:
        return []
    rows = await connection.scalars(_KNOWN_CHILDREN, {"center_id": center_id, "child_ids": list(child_ids)})
    return [str(child_id) for child_id in rows]


async def facts_around(
    connection: AsyncConnection,
    center_id: str,
    *,
    child_ids: Sequence[str],
    since_ms: int,
    event_ids: Sequence[str] = (),
) -> list[StoredFact]:
    """Give the facts of these children since then (UTC milliseconds), and any with one of these event ids."""
    parameters = {
        "center_id": center_id,
        "child_ids": list(child_ids),
        "since": datetime_of(since_ms),
        "event_ids": list(event_ids),
    }
    rows = await connection.execute(_FACTS_AROUND, parameters)
    return [
        StoredFact(
            Fact(
                event=decode_event(row.body),
                device_id=str(row.device_id),
                incarnation=unescaped(row.incarnation),
                seq=row.seq,
                hlc=row.hlc,
            ),
            row.version,
        )
        for row in rows
    ]


async def append_facts(
    connection: AsyncConnection, center_id: str, decisions: Sequence[Decision], received_at: datetime
) -> None:
    """Store the facts that these decisions made; those that made none are passed over."""
    made = [(decision.entry, decision.fact, decision.outcome) for decision in decisions if decision.fact is not None]
    if not made:
        return
    facts = [fact for _, fact, _ in made]
    parameters = {
        "center_id": center_id,
        "received_at": received_at,
        "event_ids": [fact.event.event_id for fact in facts],
        "child_ids": [fact.event.child_id for fact in facts],
        "kinds": [fact.event.kind.value for fact in facts],
        "occurred": [datetime_of(fact.event.occurred_at_ms) for fact in facts],
        "corrected": [datetime_of(fact.at_ms) for fact in facts],
        "recorded": [datetime_of(fact.event.recorded_at_ms) for fact in facts],
        "device_ids": [fact.device_id for fact in facts],
        "incarnations": [escaped(fact.incarnation) for fact in facts],
        "seqs": [fact.seq for fact in facts],
        "hlcs": [fact.hlc for fact in facts],
        "versions": [outcome.version for _, _, outcome in made],
        "bodies": [entry.body for entry, _, _ in made],
    }
    await connection.execute(_APPEND_FACTS, parameters)


_KNOWN_CHILDREN: Final = text("""
    SELECT id FROM person
    WHERE center_id = :center_id AND kind = 'child' AND id = ANY(CAST(:child_ids AS uuid[]))
    ORDER BY id
""")
_FACTS_AROUND: Final = text("""
    SELECT body, device_id, incarnation, seq, hlc, version FROM attendance_event
    WHERE center_id = :center_id
      AND (event_id = ANY(CAST(:event_ids AS uuid[]))
           OR (child_id = ANY(CAST(:child_ids AS uuid[])) AND corrected_at >= :since))
    ORDER BY version
""")
_APPEND_FACTS: Final = text("""
    INSERT INTO attendance_event (center_id, received_at, event_id, child_id, kind, occurred_at, corrected_at,
                                  recorded_at, device_id, incarnation, seq, hlc, version, body)
    SELECT CAST(:center_id AS uuid), CAST(:received_at AS timestamptz), line.*
    FROM unnest(CAST(:event_ids AS uuid[]), CAST(:child_ids AS uuid[]), CAST(:kinds AS text[]),
                CAST(:occurred AS timestamptz[]), CAST(:corrected AS timestamptz[]),
                CAST(:recorded AS timestamptz[]), CAST(:device_ids AS uuid[]), CAST(:incarnations AS text[]),
                CAST(:seqs AS bigint[]), CAST(:hlcs AS bigint[]), CAST(:versions AS bigint[]),
                CAST(:bodies AS bytea[])) AS line
""")
