"""The SQL of what is kept for a time: how much of each class is over, and which children are to be erased."""

from datetime import date, datetime
from typing import Final

from sqlalchemy import text

from server.repositories.unit_of_work import Connection


async def count_over(connection: Connection, *, mails: datetime, sessions: datetime, now: datetime) -> dict[str, int]:
    """Count what jobs take away next: mails done with before a time, sessions unused since another, and the rest."""
    row = (await connection.execute(_COUNT, {"mails": mails, "sessions": sessions, "now": now})).one()
    return {name: int(row._mapping[name]) for name in ("mails", "sessions", "links", "counts", "exports")}  # noqa: SLF001 - as documented


async def children_over(connection: Connection, *, before: date, limit: int) -> list[tuple[str, str]]:
    """Give children (centre, id) who left before a day and were not seen since, whom nothing keeps; by last day.

    A child under a legal hold is none, nor one whose adult is, nor one of whom nobody said when it left.
    """
    rows = await connection.execute(_CHILDREN, {"before": before, "limit": limit})
    return [(str(row.center_id), str(row.child_id)) for row in rows]


async def count_children_over(connection: Connection, *, before: date) -> int:
    """Count them all."""
    return int(await connection.scalar(_COUNT_CHILDREN, {"before": before}) or 0)


_COUNT: Final = text("""
    SELECT (SELECT count(*) FROM mail_outbox WHERE state <> 'waiting' AND not_before < :mails) AS mails,
           (SELECT count(*) FROM user_session WHERE expires_at <= :now OR last_used_at <= :sessions) AS sessions,
           (SELECT count(*) FROM password_recovery WHERE expires_at <= :now)
             + (SELECT count(*) FROM invitation WHERE expires_at <= :now) AS links,
           (SELECT count(*) FROM throttle WHERE full_at <= :now) AS counts,
           (SELECT count(*) FROM data_export WHERE state = 'made' AND expires_at <= :now) AS exports
""")
_OVER: Final = """
    FROM child_profile AS profile
    WHERE profile.enrolled_to < :before
      AND NOT EXISTS (SELECT FROM stay WHERE stay.center_id = profile.center_id AND stay.subject_id = profile.child_id
                      AND (stay.ended_at IS NULL OR stay.ended_at >= CAST(CAST(:before AS date) AS timestamptz)))
      AND NOT EXISTS (SELECT FROM legal_hold AS hold WHERE hold.center_id = profile.center_id
                      AND hold.lifted_at IS NULL AND (hold.person_id = profile.child_id OR hold.person_id IN (
                          SELECT adult_id FROM relationship
                          WHERE center_id = profile.center_id AND child_id = profile.child_id
                          UNION ALL SELECT adult_id FROM pickup_authorisation
                          WHERE center_id = profile.center_id AND child_id = profile.child_id)))
"""
_CHILDREN: Final = text(
    f"SELECT profile.center_id, profile.child_id {_OVER} "
    "ORDER BY profile.enrolled_to, profile.center_id, profile.child_id LIMIT :limit"
)
_COUNT_CHILDREN: Final = text(f"SELECT count(*) {_OVER}")
