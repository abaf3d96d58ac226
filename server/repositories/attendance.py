"""The SQL of facts: what decisions need to know, for many centres at once, and new facts as they are decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.clock import datetime_of, ms_of
from server.repositories.journals import escaped, unescaped
from sync.attendance import Fact, decode_event
from sync.intake import Decision, StoredFact

CenterKey = tuple[str, str]
"""A centre, and the id of a subject (such as a child) or an event of it."""


@dataclass(frozen=True, slots=True)
class NewFact:
    """A decision that made a fact, and whose it is."""

    center_id: str
    decision: Decision


async def facts_around(
    connection: AsyncConnection, subjects_since_ms: Mapping[CenterKey, int], events: Sequence[CenterKey]
) -> dict[str, list[StoredFact]]:
    """Give the facts of each subject since then (UTC milliseconds), and any with one of these event ids, by centre.

    The acts of a subject (voids, corrections, answers) are given whenever they happened. A fact that is found on both
    ways is given twice; one of a newer server, of a kind that is not known here, is left out: it says nothing here, and
    must not fail the pushes of others.
    """
    parameters = {
        "child_center_ids": [center_id for center_id, _ in subjects_since_ms],
        "child_ids": [child_id for _, child_id in subjects_since_ms],
        "sinces": [datetime_of(since_ms) for since_ms in subjects_since_ms.values()],
        "event_center_ids": [center_id for center_id, _ in events],
        "event_ids": [event_id for _, event_id in events],
    }
    found: dict[str, list[StoredFact]] = {}
    for row in await connection.execute(_FACTS_AROUND, parameters):
        try:
            event = decode_event(row.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        fact = Fact(
            event=event,
            device_id=str(row.device_id),
            incarnation=unescaped(row.incarnation),
            seq=row.seq,
            hlc=row.hlc,
        )
        stored = StoredFact(fact, row.version, ms_of(row.received_at))
        found.setdefault(str(row.center_id), []).append(stored)
    return found


async def append_facts(connection: AsyncConnection, made: Sequence[NewFact]) -> None:
    """Store the facts that decisions made, each with the body and the time of arrival of its record."""
    lines = [
        (one.center_id, one.decision.fact, one.decision.record, one.decision.outcome)
        for one in made
        if one.decision.fact is not None and one.decision.record is not None
    ]
    facts = [fact for _, fact, _, _ in lines]
    parameters = {
        "center_ids": [center_id for center_id, _, _, _ in lines],
        "received_ms": [record.received_at_ms for _, _, record, _ in lines],
        "event_ids": [fact.event.event_id for fact in facts],
        "child_ids": [fact.event.subject_id for fact in facts],
        "kinds": [fact.event.kind.value for fact in facts],
        "occurred_ms": [fact.event.occurred_at_ms for fact in facts],
        "corrected_ms": [fact.at_ms for fact in facts],
        "recorded_ms": [fact.event.recorded_at_ms for fact in facts],
        "device_ids": [fact.device_id for fact in facts],
        "incarnations": [escaped(fact.incarnation) for fact in facts],
        "seqs": [fact.seq for fact in facts],
        "hlcs": [fact.hlc for fact in facts],
        "versions": [outcome.version for _, _, _, outcome in lines],
        "bodies": [bytes(record.event) for _, _, record, _ in lines],
    }
    await connection.execute(_APPEND_FACTS, parameters)


# The kinds of the second part are written out as in the index that it reads.
_FACTS_AROUND: Final = text("""
    WITH line AS (
        SELECT * FROM unnest(CAST(:child_center_ids AS uuid[]), CAST(:child_ids AS uuid[]),
                             CAST(:sinces AS timestamptz[])) AS line(center_id, child_id, since)
    )
    SELECT fact.center_id, fact.body, fact.device_id, fact.incarnation, fact.seq, fact.hlc, fact.version,
           fact.received_at
    FROM line JOIN attendance_event AS fact
      ON fact.center_id = line.center_id AND fact.child_id = line.child_id AND fact.corrected_at >= line.since
    UNION ALL
    SELECT fact.center_id, fact.body, fact.device_id, fact.incarnation, fact.seq, fact.hlc, fact.version,
           fact.received_at
    FROM line JOIN attendance_event AS fact
      ON fact.center_id = line.center_id AND fact.child_id = line.child_id AND fact.corrected_at < line.since
     AND fact.kind IN ('void', 'correct', 'review_resolved')
    UNION ALL
    SELECT fact.center_id, fact.body, fact.device_id, fact.incarnation, fact.seq, fact.hlc, fact.version,
           fact.received_at
    FROM unnest(CAST(:event_center_ids AS uuid[]), CAST(:event_ids AS uuid[])) AS line(center_id, event_id)
    JOIN attendance_event AS fact USING (center_id, event_id)
    ORDER BY 1, 7
""")
# Milliseconds since 1970 are exact in the interval's double precision until the year 2255.
_APPEND_FACTS: Final = text("""
    INSERT INTO attendance_event (center_id, event_id, child_id, kind, occurred_at, corrected_at, recorded_at,
                                  received_at, device_id, incarnation, seq, hlc, version, body)
    SELECT line.center_id, line.event_id, line.child_id, line.kind,
           CAST('epoch' AS timestamptz) + line.occurred_ms * interval '1 millisecond',
           CAST('epoch' AS timestamptz) + line.corrected_ms * interval '1 millisecond',
           CAST('epoch' AS timestamptz) + line.recorded_ms * interval '1 millisecond',
           CAST('epoch' AS timestamptz) + line.received_ms * interval '1 millisecond',
           line.device_id, line.incarnation, line.seq, line.hlc, line.version, line.body
    FROM unnest(CAST(:center_ids AS uuid[]), CAST(:event_ids AS uuid[]), CAST(:child_ids AS uuid[]),
                CAST(:kinds AS text[]), CAST(:occurred_ms AS bigint[]), CAST(:corrected_ms AS bigint[]),
                CAST(:recorded_ms AS bigint[]), CAST(:received_ms AS bigint[]), CAST(:device_ids AS uuid[]),
                CAST(:incarnations AS text[]), CAST(:seqs AS bigint[]), CAST(:hlcs AS bigint[]),
                CAST(:versions AS bigint[]), CAST(:bodies AS bytea[]))
         AS line(center_id, event_id, child_id, kind, occurred_ms, corrected_ms, recorded_ms, received_ms,
                 device_id, incarnation, seq, hlc, version, body)
""")
