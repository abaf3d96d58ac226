"""The SQL of forgotten passwords: addresses that wait to be looked up, and the rights to set a password once."""

from datetime import datetime

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.accounts import UserAccount
from server.models.sessions import PasswordRecovery, RecoveryRequest

REQUESTS_AT_ONCE = 50
FORGET_ROWS = 1_000


async def add_request(session: AsyncSession, request: RecoveryRequest, *, requests_max: int) -> bool:
    """Store an address to be looked up; False when so many wait already."""
    some = select(col(RecoveryRequest.id)).limit(requests_max).subquery()
    if (await session.exec(select(func.count()).select_from(some))).one() >= requests_max:
        return False
    session.add(request)
    await session.flush()
    return True


async def take_requests(session: AsyncSession) -> list[RecoveryRequest]:
    """Take the oldest requests away, past those that somebody else is taking."""
    oldest = select(RecoveryRequest).order_by(col(RecoveryRequest.id)).limit(REQUESTS_AT_ONCE)
    found = list(await session.exec(oldest.with_for_update(skip_locked=True)))
    await session.exec(delete(RecoveryRequest).where(col(RecoveryRequest.id).in_([one.id for one in found])))
    return found


async def accounts_of(session: AsyncSession, emails: list[str]) -> list[UserAccount]:
    """Give the active accounts with these addresses, by address."""
    statement = select(UserAccount).where(col(UserAccount.email).in_(emails), col(UserAccount.is_active))
    return list(await session.exec(statement.order_by(col(UserAccount.email)).limit(REQUESTS_AT_ONCE)))


async def add(session: AsyncSession, recovery: PasswordRecovery) -> None:
    """Store the right to set a password once."""
    session.add(recovery)
    await session.flush()


async def account_of(session: AsyncSession, recovery_id: str, *, now: datetime) -> UserAccount | None:
    """Give the active account that a recovery, which is still good, lets set a password."""
    statement = (
        select(UserAccount)
        .join(PasswordRecovery, col(PasswordRecovery.user_id) == col(UserAccount.id))
        .where(col(PasswordRecovery.id) == recovery_id, col(PasswordRecovery.expires_at) > now)
        .where(col(UserAccount.is_active))
    )
    return (await session.exec(statement)).one_or_none()


async def use_up(session: AsyncSession, recovery_id: str, *, now: datetime) -> bool:
    """Use a recovery up; False when it was used, or is over. Two users cannot both have it."""
    statement = (
        delete(PasswordRecovery)
        .where(col(PasswordRecovery.id) == recovery_id)
        .returning(col(PasswordRecovery.expires_at))
    )
    expires_at = (await session.exec(statement)).scalar_one_or_none()
    return expires_at is not None and expires_at > now


async def end_all(session: AsyncSession, user_id: str) -> None:
    """Take away every right to set the password of a user."""
    await session.exec(delete(PasswordRecovery).where(col(PasswordRecovery.user_id) == user_id))


async def forget(session: AsyncSession, *, now: datetime) -> int:
    """Take away recoveries that are over; gives how many, a thousand at most."""
    some = select(col(PasswordRecovery.id)).where(col(PasswordRecovery.expires_at) <= now).limit(FORGET_ROWS)
    return (await session.exec(delete(PasswordRecovery).where(col(PasswordRecovery.id).in_(some)))).rowcount
