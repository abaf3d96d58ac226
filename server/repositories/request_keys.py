"""The SQL of requests that may be sent again: a row for each key of an account, claimed before it is served."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from server.repositories.unit_of_work import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request that is to be served: whose, its hashes, the id of the claim, and until when both are good."""

    user_id: str
    key_digest: bytes
    request_digest: bytes
    claim_id: str
    claimed_until: datetime
    forget_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a key: what was sent with it, until when it is claimed, and the answer if there is one."""

    request_digest: bytes
    claimed_until: datetime
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept for an account: keys, bytes of answers, and when the first of them goes (None without any)."""

    keys: int
    answer_bytes: int
    first_forgotten_at: datetime | None


async def claim(connection: Connection, wanted: Wanted, *, now: datetime) -> Standing | None:
    """Claim a key: None when it is the asker's now, or what stands in the way.

    A key that is forgotten, and one whose claim ran out without an answer to the same request, is free.
    """
    parameters = {name: getattr(wanted, name) for name in Wanted.__slots__} | {"now": now}
    if await connection.scalar(_CLAIM, parameters) is not None:
        return None
    row = (await connection.execute(_FIND, parameters)).one_or_none()
    # Given back between the two statements: whoever asks again finds it free.
    return Standing(wanted.request_digest, now, None) if row is None else Standing(*row)


async def kept(connection: Connection, user_id: str, *, now: datetime) -> Kept:
    """Give how much is kept for an account."""
    row = (await connection.execute(_KEPT, {"user_id": user_id, "now": now})).one()
    return Kept(row.keys, row.answer_bytes, row.first_forgotten_at)


async def store_answer(connection: Connection, wanted: Wanted, answer: bytes) -> bool:
    """Keep the answer beside the claim; False when the claim ran out and somebody else has it."""
    parameters = {name: getattr(wanted, name) for name in ("user_id", "key_digest", "claim_id")} | {"answer": answer}
    return (await connection.execute(_STORE, parameters)).rowcount == 1


async def give_back(connection: Connection, wanted: Wanted) -> None:
    """Forget a claim: what was asked for was refused, and may be asked anew."""
    parameters = {name: getattr(wanted, name) for name in ("user_id", "key_digest", "claim_id")}
    await connection.execute(_GIVE_BACK, parameters)


async def forget(connection: Connection, *, now: datetime, rows_max: int) -> int:
    """Take away what is over; gives how many rows, `rows_max` at most."""
    return (await connection.execute(_FORGET, {"now": now, "rows_max": rows_max})).rowcount


_CLAIM: Final = text("""
    INSERT INTO request_key (user_id, key_digest, request_digest, claim_id, claimed_until, forget_at)
    VALUES (CAST(:user_id AS uuid), :key_digest, :request_digest, CAST(:claim_id AS uuid), :claimed_until, :forget_at)
    ON CONFLICT (user_id, key_digest) DO UPDATE
    SET request_digest = excluded.request_digest, claim_id = excluded.claim_id,
        claimed_until = excluded.claimed_until, forget_at = excluded.forget_at, answer = NULL
    WHERE request_key.forget_at <= :now
       OR (request_key.answer IS NULL AND request_key.claimed_until <= :now
           AND request_key.request_digest = excluded.request_digest)
    RETURNING claim_id
""")
_FIND: Final = text("""
    SELECT request_digest, claimed_until, answer FROM request_key
    WHERE user_id = CAST(:user_id AS uuid) AND key_digest = :key_digest
""")
_KEPT: Final = text("""
    SELECT count(*) AS keys, coalesce(sum(octet_length(answer)), 0) AS answer_bytes,
           min(forget_at) AS first_forgotten_at
    FROM request_key WHERE user_id = CAST(:user_id AS uuid) AND forget_at > :now
""")
_STORE: Final = text("""
    UPDATE request_key SET answer = :answer
    WHERE user_id = CAST(:user_id AS uuid) AND key_digest = :key_digest AND claim_id = CAST(:claim_id AS uuid)
""")
_GIVE_BACK: Final = text("""
    DELETE FROM request_key
    WHERE user_id = CAST(:user_id AS uuid) AND key_digest = :key_digest AND claim_id = CAST(:claim_id AS uuid)
      AND answer IS NULL
""")
_FORGET: Final = text("""
    DELETE FROM request_key WHERE (user_id, key_digest) IN (
        SELECT user_id, key_digest FROM request_key WHERE forget_at <= :now
        ORDER BY forget_at LIMIT :rows_max FOR UPDATE SKIP LOCKED
    )
""")
