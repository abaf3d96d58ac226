"""The SQL of log-ins and memberships."""

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.accounts import Membership, RoleId, UserAccount
from server.repositories.unit_of_work import Connection

MEMBERSHIPS_MAX = 1_000
MANAGERS_MAX = 50  # of one centre; each gets a mail of their own


async def find_by_email(session: AsyncSession, email: str) -> UserAccount | None:
    """Give the account with an e-mail address, which must be in lower case."""
    return (await session.exec(select(UserAccount).where(col(UserAccount.email) == email))).one_or_none()


async def find(session: AsyncSession, user_id: str) -> UserAccount | None:
    """Give the account with an id."""
    return await session.get(UserAccount, user_id)


async def memberships(session: AsyncSession, user_id: str) -> list[Membership]:
    """Give what a user may do where, in a fixed order."""
    statement = select(Membership).where(col(Membership.user_id) == user_id)
    ordered = statement.order_by(col(Membership.role_id).desc(), col(Membership.center_id))
    return list(await session.exec(ordered.limit(MEMBERSHIPS_MAX)))


async def with_memberships(
    connection: Connection, user_ids: Collection[str]
) -> list[tuple[UserAccount, list[Membership]]]:
    """Give those of these users that there are, by id, each with what they may do where."""
    async with AsyncSession(connection, expire_on_commit=False) as session:
        wanted = select(UserAccount).where(col(UserAccount.id).in_(user_ids)).order_by(col(UserAccount.id))
        found = list(await session.exec(wanted.limit(len(user_ids))))
        granted = select(Membership).where(col(Membership.user_id).in_(user_ids))
        ordered = granted.order_by(col(Membership.user_id), col(Membership.role_id).desc(), col(Membership.center_id))
        of_user: dict[str, list[Membership]] = {}
        for one in await session.exec(ordered.limit(MEMBERSHIPS_MAX * len(user_ids))):
            of_user.setdefault(one.user_id, []).append(one)
    return [(account, of_user.get(account.id, [])) for account in found]


async def managers(session: AsyncSession, center_id: str) -> list[UserAccount]:
    """Give the active accounts with the role manager at a centre, by address; admins of all centres are none."""
    statement = (
        select(UserAccount)
        .join(Membership, col(Membership.user_id) == col(UserAccount.id))
        .where(col(Membership.center_id) == center_id, col(Membership.role_id) == RoleId.MANAGER.value)
        .where(col(UserAccount.is_active))
        .order_by(col(UserAccount.email))
    )
    return list(await session.exec(statement.limit(MANAGERS_MAX)))


async def add(session: AsyncSession, account: UserAccount, membership: Membership) -> None:
    """Store a new account and its first membership."""
    session.add(account)
    await session.flush()
    session.add(membership)
    await session.flush()
