"""The SQL of the mail outbox: queueing once, taking with a lease, and what became of each mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

REASONS_MAX: Final = 50
TOLD_OF_CHILD: Final = """
    FROM guardian_account AS link
    JOIN user_account AS account ON account.id = link.user_id AND account.is_active
    JOIN relationship AS kin ON kin.center_id = link.center_id AND kin.adult_id = link.adult_id
    WHERE coalesce(kin.can_view, kin.legal_guardian) AND coalesce(kin.receives_notifications, kin.legal_guardian)
      AND EXISTS (SELECT FROM membership WHERE membership.user_id = link.user_id
                  AND membership.center_id = link.center_id)
"""
"""Who may be told of a child: an account that is active and has a role, of an adult who may see it and hear of it."""


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to one recipient that is to go out."""

    id: str
    center_id: str | None
    dedupe_key: str
    recipient: str
    subject: str
    body: str
    child_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class TakenMail:
    """A mail that is the taker's until its lease ends; `attempts` counts this one, and names the taking."""

    id: str
    recipient: str
    subject: str
    body: str
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Reason:
    """How many mails are in a state for the same reason (empty: none was tried, or all is well)."""

    state: str
    last_error: str
    mails: int


async def queue(connection: AsyncConnection, mails: Sequence[NewMail], at: datetime, give_up_at: datetime) -> int:
    """Store mails to be sent at once; those whose key is known are passed over. Gives how many are new.

    Keys are written in order, so that two transactions that queue the same mails wait for each other and no more.
    """
    ordered = sorted(mails, key=lambda mail: mail.dedupe_key)
    parameters = {
        "at": at,
        "give_up_at": give_up_at,
        "ids": [mail.id for mail in ordered],
        "center_ids": [mail.center_id for mail in ordered],
        "dedupe_keys": [mail.dedupe_key for mail in ordered],
        "recipients": [mail.recipient for mail in ordered],
        "subjects": [mail.subject for mail in ordered],
        "bodies": [mail.body for mail in ordered],
        "child_ids": [mail.child_id for mail in ordered],
        "user_ids": [mail.user_id for mail in ordered],
    }
    return (await connection.execute(_QUEUE, parameters)).rowcount


async def count_waiting(connection: AsyncConnection, *, counted_max: int) -> int:
    """Count the mails that wait, up to so many."""
    return int(await connection.scalar(_COUNT_WAITING, {"counted_max": counted_max}) or 0)


async def take_due(
    connection: AsyncConnection, *, now: datetime, lease_end: datetime, mails_max: int
) -> list[TakenMail]:
    """Take the mails that are due longest, past those that somebody else is taking; they are due again at `lease_end`.

    A taking counts as an attempt: a mail that brings down whoever sends it is given up like any other.
    """
    parameters = {"now": now, "lease_end": lease_end, "mails_max": mails_max}
    rows = (await connection.execute(_TAKE, parameters)).all()
    taken = [TakenMail(str(row.id), row.recipient, row.subject, row.body, row.created_at, row.attempts) for row in rows]
    return sorted(taken, key=lambda mail: mail.id)


async def drop_unentitled(connection: AsyncConnection, mails: Sequence[TakenMail], *, reason: str) -> set[str]:
    """Give up those of some mails that tell an account of a child of whom it may not be told now; gives their ids."""
    rows = await connection.scalars(_DROP_UNENTITLED, {"ids": [mail.id for mail in mails], "reason": reason})
    return {str(one) for one in rows}


async def note_sent(connection: AsyncConnection, mail: TakenMail, at: datetime) -> None:
    """Say that a mail went out, whoever else may think otherwise of it."""
    await connection.execute(_SENT, {"id": mail.id, "at": at})


async def put_back(connection: AsyncConnection, mail: TakenMail, *, not_before: datetime, reason: str) -> None:
    """Try a mail again later, unless somebody took it since."""
    parameters = {"id": mail.id, "attempts": mail.attempts, "not_before": not_before, "reason": reason}
    await connection.execute(_PUT_BACK, parameters)


async def give_up(connection: AsyncConnection, mail: TakenMail, *, reason: str) -> None:
    """Send a mail no more, unless somebody took it since."""
    await connection.execute(_GIVE_UP, {"id": mail.id, "attempts": mail.attempts, "reason": reason})


async def give_up_old(connection: AsyncConnection, *, now: datetime, reason: str) -> int:
    """Give up what is due and was tried for too long; `reason` is for mails that have none. Gives how many."""
    return (await connection.execute(_GIVE_UP_OLD, {"now": now, "reason": reason})).rowcount


async def retry(connection: AsyncConnection, *, now: datetime, give_up_at: datetime) -> int:
    """Let everything that was given up wait again, as if it were new. Gives how many."""
    return (await connection.execute(_RETRY, {"now": now, "give_up_at": give_up_at})).rowcount


async def forget(connection: AsyncConnection, *, before: datetime, mails_max: int) -> int:
    """Take away what was done with before a time. Gives how many, `mails_max` at most."""
    return (await connection.execute(_FORGET, {"before": before, "mails_max": mails_max})).rowcount


async def oldest_waiting(connection: AsyncConnection) -> datetime | None:
    """Give when the oldest waiting mail was queued."""
    found: datetime | None = await connection.scalar(_OLDEST)
    return found


async def reasons(connection: AsyncConnection) -> list[Reason]:
    """Count mails by state and reason, the commonest first; `REASONS_MAX` lines at most."""
    rows = (await connection.execute(_REASONS, {"lines": REASONS_MAX})).all()
    return [Reason(row.state, row.last_error, row.mails) for row in rows]


_QUEUE: Final = text("""
    INSERT INTO mail_outbox (id, center_id, dedupe_key, recipient, subject, body,
                             child_id, user_id, created_at, not_before, give_up_at, attempts, last_error, state)
    SELECT line.id, line.center_id, line.dedupe_key, line.recipient, line.subject, line.body, line.child_id,
           line.user_id,
           CAST(:at AS timestamptz), CAST(:at AS timestamptz), CAST(:give_up_at AS timestamptz), 0, '', 'waiting'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:center_ids AS uuid[]), CAST(:dedupe_keys AS text[]),
                CAST(:recipients AS text[]), CAST(:subjects AS text[]), CAST(:bodies AS text[]),
                CAST(:child_ids AS uuid[]), CAST(:user_ids AS uuid[]))
         WITH ORDINALITY AS line(id, center_id, dedupe_key, recipient, subject, body, child_id, user_id, place)
    ORDER BY line.place
    ON CONFLICT (dedupe_key) DO NOTHING
""")
_COUNT_WAITING: Final = text("""
    SELECT count(*) FROM (SELECT FROM mail_outbox WHERE state = 'waiting' LIMIT :counted_max) AS waiting
""")
_TAKE: Final = text("""
    WITH due AS (
        SELECT id FROM mail_outbox WHERE state = 'waiting' AND not_before <= :now
        ORDER BY not_before, id LIMIT :mails_max FOR UPDATE SKIP LOCKED
    )
    UPDATE mail_outbox AS mail SET not_before = :lease_end, attempts = mail.attempts + 1
    FROM due WHERE mail.id = due.id
    RETURNING mail.id, mail.recipient, mail.subject, mail.body, mail.created_at, mail.attempts
""")
_DROP_UNENTITLED: Final = text(f"""
    UPDATE mail_outbox AS mail SET state = 'given_up', last_error = :reason
    WHERE mail.id = ANY(CAST(:ids AS uuid[])) AND mail.user_id IS NOT NULL
      AND NOT EXISTS (SELECT {TOLD_OF_CHILD} AND link.center_id = mail.center_id AND link.user_id = mail.user_id
                      AND kin.child_id = mail.child_id)
    RETURNING mail.id
""")
_SENT: Final = text("""
    UPDATE mail_outbox SET state = 'sent', sent_at = :at, last_error = '' WHERE id = :id AND state <> 'sent'
""")
_PUT_BACK: Final = text("""
    UPDATE mail_outbox SET not_before = :not_before, last_error = :reason
    WHERE id = :id AND state = 'waiting' AND attempts = :attempts
""")
_GIVE_UP: Final = text("""
    UPDATE mail_outbox SET state = 'given_up', last_error = :reason
    WHERE id = :id AND state = 'waiting' AND attempts = :attempts
""")
_GIVE_UP_OLD: Final = text("""
    UPDATE mail_outbox SET state = 'given_up', last_error = CASE last_error WHEN '' THEN :reason ELSE last_error END
    WHERE state = 'waiting' AND not_before <= :now AND give_up_at <= :now
""")
_RETRY: Final = text("""
    UPDATE mail_outbox SET state = 'waiting', attempts = 0, last_error = '', not_before = :now, give_up_at = :give_up_at
    WHERE state = 'given_up'
""")
_FORGET: Final = text("""
    DELETE FROM mail_outbox WHERE id IN (
        SELECT id FROM mail_outbox WHERE state <> 'waiting' AND not_before < :before
        ORDER BY not_before LIMIT :mails_max
    )
""")
_OLDEST: Final = text("SELECT min(created_at) FROM mail_outbox WHERE state = 'waiting'")
_REASONS: Final = text("""
    SELECT state, last_error, count(*) AS mails FROM mail_outbox
    GROUP BY state, last_error ORDER BY state, mails DESC, last_error LIMIT :lines
""")
