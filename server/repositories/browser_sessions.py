"""The SQL of sessions in browsers."""

from datetime import datetime

from sqlalchemy import delete, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.browser_sessions import BrowserSession


async def add(session: AsyncSession, row: BrowserSession, *, kept_max: int) -> None:
    """Store a new session; of those its user has, only `kept_max` with it stay, the last used ones."""
    newest = (
        select(BrowserSession.id)
        .where(col(BrowserSession.user_id) == row.user_id)
        .order_by(col(BrowserSession.last_used_at).desc(), col(BrowserSession.id).desc())
        .limit(kept_max - 1)
    )
    mine = col(BrowserSession.user_id) == row.user_id
    await session.exec(delete(BrowserSession).where(mine, col(BrowserSession.id).not_in(newest)))
    session.add(row)
    await session.flush()


async def find(session: AsyncSession, token_hash: bytes) -> BrowserSession | None:
    """Give the session of a token by its hash."""
    return (
        await session.exec(select(BrowserSession).where(col(BrowserSession.token_hash) == token_hash))
    ).one_or_none()


async def note_use(session: AsyncSession, session_id: str, *, now: datetime) -> None:
    """Write down that a session was used; a later use that was written meanwhile stands."""
    used = update(BrowserSession).where(col(BrowserSession.id) == session_id, col(BrowserSession.last_used_at) < now)
    await session.exec(used.values(last_used_at=now))


async def end(session: AsyncSession, session_id: str) -> bool:
    """Take a session away; False when somebody else did."""
    return (await session.exec(delete(BrowserSession).where(col(BrowserSession.id) == session_id))).rowcount > 0


async def forget(session: AsyncSession, *, used_before: datetime, made_before: datetime, sessions_max: int) -> int:
    """Take away sessions that were last used, or made, before a time, at most `sessions_max`; gives how many."""
    ended = or_(col(BrowserSession.last_used_at) < used_before, col(BrowserSession.made_at) < made_before)
    some = select(BrowserSession.id).where(ended).order_by(col(BrowserSession.last_used_at)).limit(sessions_max)
    return (await session.exec(delete(BrowserSession).where(col(BrowserSession.id).in_(some)))).rowcount
