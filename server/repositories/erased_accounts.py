"""The SQL of accounts that are erased."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import GuardianAccount
from server.repositories.unit_of_work import Connection


async def links(session: AsyncSession, user_id: str) -> list[GuardianAccount]:
    """Give which adult an account is at which centre, by centre."""
    statement = select(GuardianAccount).where(col(GuardianAccount.user_id) == user_id)
    return list(await session.exec(statement.order_by(col(GuardianAccount.center_id))))


async def forget(connection: Connection, user_id: str, email: str) -> None:
    """Take away roles, links, sessions, recoveries and exports of an account, mails and invitations to its address."""
    for statement in _FORGET:
        await connection.execute(statement, {"user_id": user_id, "email": email})


async def note(connection: Connection, user_id: str, at: datetime) -> None:
    """Note that an account is no more."""
    await connection.execute(_NOTE, {"user_id": user_id, "at": at})


async def all_erased(connection: Connection) -> list[str]:
    """Give the ids of the accounts that are no more."""
    return [str(one) for one in await connection.scalars(_ALL)]


_FORGET: Final = tuple(
    text(statement)
    for statement in (
        "DELETE FROM data_export WHERE user_id = :user_id",
        "DELETE FROM guardian_account WHERE user_id = :user_id",
        "DELETE FROM membership WHERE user_id = :user_id",
        "DELETE FROM user_session WHERE user_id = :user_id",
        "DELETE FROM browser_session WHERE user_id = :user_id",
        "DELETE FROM password_recovery WHERE user_id = :user_id",
        "DELETE FROM recovery_request WHERE lower(email) = :email",
        "DELETE FROM invitation WHERE email = :email",
        "DELETE FROM mail_outbox WHERE lower(recipient) = :email",
    )
)
_NOTE: Final = text("""
    INSERT INTO erased_account (user_id, erased_at) VALUES (CAST(:user_id AS uuid), CAST(:at AS timestamptz))
    ON CONFLICT DO NOTHING
""")
_ALL: Final = text("SELECT user_id FROM erased_account ORDER BY user_id")
