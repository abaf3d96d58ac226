"""The SQL of sessions of people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, bindparam, delete, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.accounts import UserAccount
from server.models.columns import UUID_TEXT
from server.models.sessions import UserSession
from server.repositories.unit_of_work import Connection

SESSIONS_MAX = 50  # of one person; who opens more loses those unused for longest
FORGET_SESSIONS = 1_000


async def add(session: AsyncSession, row: UserSession) -> None:
    """Store a new session; the sessions of its user that are too many go, those unused for longest first."""
    mine = col(UserSession.user_id) == row.user_id
    newest = select(col(UserSession.id)).where(mine).order_by(col(UserSession.last_used_at).desc(), col(UserSession.id))
    await session.exec(delete(UserSession).where(col(UserSession.id).in_(newest.offset(SESSIONS_MAX - 1))))
    session.add(row)
    await session.flush()


async def lock(session: AsyncSession, session_id: str) -> UserSession | None:
    """Give a session and hold it to the end of the transaction."""
    statement = select(UserSession).where(col(UserSession.id) == session_id).with_for_update()
    return (await session.exec(statement)).one_or_none()


async def account_of(
    session: AsyncSession, session_id: str, user_id: str, *, now: datetime, used_after: datetime
) -> UserAccount | None:
    """Give the account of a session that goes on: neither over, nor unused for too long, nor somebody else's."""
    statement = (
        select(UserAccount)
        .join(UserSession, col(UserSession.user_id) == col(UserAccount.id))
        .where(col(UserSession.id) == session_id, col(UserAccount.id) == user_id)
        .where(col(UserSession.expires_at) > now, col(UserSession.last_used_at) > used_after)
    )
    return (await session.exec(statement)).one_or_none()


async def of_user(session: AsyncSession, user_id: str, *, now: datetime, used_after: datetime) -> list[UserSession]:
    """Give the sessions of a user that go on, the one used last first."""
    statement = (
        select(UserSession)
        .where(col(UserSession.user_id) == user_id)
        .where(col(UserSession.expires_at) > now, col(UserSession.last_used_at) > used_after)
        .order_by(col(UserSession.last_used_at).desc(), col(UserSession.id))
    )
    return list(await session.exec(statement.limit(SESSIONS_MAX)))


async def end(session: AsyncSession, session_id: str, *, user_id: str) -> bool:
    """End one session of a user; False when they have none with this id."""
    mine = (col(UserSession.id) == session_id) & (col(UserSession.user_id) == user_id)
    return (await session.exec(delete(UserSession).where(mine))).rowcount > 0


async def end_all(session: AsyncSession, user_id: str, *, except_id: str | None = None) -> int:
    """End the sessions of a user, but for one when it is given; gives how many."""
    statement = delete(UserSession).where(col(UserSession.user_id) == user_id)
    if except_id is not None:
        statement = statement.where(col(UserSession.id) != except_id)
    return (await session.exec(statement)).rowcount


async def going_on(connection: Connection, session_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Give user and id of those of these sessions, of apps and of browsers, that nobody ended."""
    found = await connection.execute(_GOING_ON, {"session_ids": list(session_ids)})
    return [(str(row.user_id), str(row.id)) for row in found]


async def forget(session: AsyncSession, *, now: datetime, used_before: datetime) -> int:
    """Take away sessions that ended by themselves; gives how many, a thousand at most."""
    over = (col(UserSession.expires_at) <= now) | (col(UserSession.last_used_at) <= used_before)
    some = select(col(UserSession.id)).where(over).limit(FORGET_SESSIONS)
    return (await session.exec(delete(UserSession).where(col(UserSession.id).in_(some)))).rowcount


_GOING_ON: Final = text("""
    SELECT user_id, id FROM user_session WHERE id = ANY(:session_ids)
    UNION ALL SELECT user_id, id FROM browser_session WHERE id = ANY(:session_ids)
    ORDER BY user_id, id
""").bindparams(bindparam("session_ids", type_=ARRAY(UUID_TEXT)))
