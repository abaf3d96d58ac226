"""The SQL of who belongs to a centre, and of who was invited to."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import and_, col, exists, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.accounts import Membership, RoleId, UserAccount
from server.models.rooms import Center, Organisation
from server.models.sessions import Invitation

FORGET_ROWS = 1_000
MEMBERSHIPS_MAX = 10_000  # a hundred people at a hundred centres each
INVITATIONS_MAX = 1_000  # of one centre, open at once


async def lock_organisation(session: AsyncSession, organisation_id: str) -> None:
    """Let nobody else change who is who in an organisation until the end of the transaction.

    Take this before any account: then two admins cannot both take the role from each other.
    """
    statement = select(Organisation.id).where(col(Organisation.id) == organisation_id)
    await session.exec(statement.with_for_update(key_share=True))


async def page(session: AsyncSession, center: Center, *, after: str | None, limit: int) -> list[UserAccount]:
    """Give the accounts with a role at a centre, admins of its organisation too, by id, after an id."""
    here = exists().where(col(Membership.user_id) == col(UserAccount.id), _at(center))
    statement = select(UserAccount).where(here).order_by(col(UserAccount.id)).limit(limit)
    if after is not None:
        statement = statement.where(col(UserAccount.id) > after)
    return list(await session.exec(statement))


async def find(session: AsyncSession, center: Center, user_id: str) -> UserAccount | None:
    """Give an account with a role at a centre."""
    here = exists().where(col(Membership.user_id) == col(UserAccount.id), _at(center))
    return (await session.exec(select(UserAccount).where(col(UserAccount.id) == user_id, here))).one_or_none()


async def memberships(session: AsyncSession, user_ids: Collection[str]) -> list[Membership]:
    """Give all memberships of some users, in a fixed order."""
    statement = select(Membership).where(col(Membership.user_id).in_(user_ids))
    ordered = statement.order_by(col(Membership.user_id), col(Membership.role_id), col(Membership.center_id))
    return list(await session.exec(ordered.limit(MEMBERSHIPS_MAX)))


async def count_other_admins(session: AsyncSession, organisation_id: str, user_id: str) -> int:
    """Count the active admins of an organisation beside one."""
    statement = (
        select(func.count())
        .select_from(Membership)
        .join(UserAccount, col(UserAccount.id) == col(Membership.user_id))
        .where(col(Membership.role_id) == RoleId.ADMIN.value, col(UserAccount.is_active))
        .where(col(UserAccount.organisation_id) == organisation_id, col(UserAccount.id) != user_id)
    )
    return (await session.exec(statement)).one()


async def take_roles(session: AsyncSession, center: Center, user_id: str, roles: Iterable[RoleId]) -> None:
    """Take roles from somebody at a centre; the role admin everywhere."""
    gone = [role.value for role in roles]
    mine = (col(Membership.user_id) == user_id) & col(Membership.role_id).in_(gone) & _at(center)
    await session.exec(delete(Membership).where(mine))


async def give_role(session: AsyncSession, membership: Membership) -> bool:
    """Give somebody a role at a centre, or everywhere; False when they have it."""
    statement = insert(Membership).values(**membership.model_dump()).on_conflict_do_nothing()
    return (await session.exec(statement.returning(col(Membership.id)))).scalar_one_or_none() is not None


async def add_account(session: AsyncSession, account: UserAccount) -> bool:
    """Store a new account; False when somebody has its address."""
    statement = insert(UserAccount).values(**account.model_dump()).on_conflict_do_nothing(index_elements=["email"])
    return (await session.exec(statement.returning(col(UserAccount.id)))).scalar_one_or_none() is not None


async def invite(session: AsyncSession, invitation: Invitation, *, now: datetime) -> bool:
    """Store an invitation in place of an earlier one of the same address; False when a centre has too many open."""
    mine = col(Invitation.center_id) == invitation.center_id
    await session.exec(delete(Invitation).where(mine, col(Invitation.email) == invitation.email))
    is_open = mine & (col(Invitation.expires_at) > now)
    count = (await session.exec(select(func.count()).select_from(Invitation).where(is_open))).one()
    if count >= INVITATIONS_MAX:
        return False
    # Two managers may invite one address at once: the later one stands.
    values = invitation.model_dump()
    changed = {name: value for name, value in values.items() if name not in {"center_id", "email"}}
    statement = insert(Invitation).values(**values)
    await session.exec(statement.on_conflict_do_update(index_elements=["center_id", "email"], set_=changed))
    return True


async def invitations(
    session: AsyncSession, center_id: str, *, now: datetime, after: str | None, limit: int
) -> list[Invitation]:
    """Give the invitations of a centre that are still good, by id, after an id."""
    statement = select(Invitation).where(col(Invitation.center_id) == center_id, col(Invitation.expires_at) > now)
    if after is not None:
        statement = statement.where(col(Invitation.id) > after)
    return list(await session.exec(statement.order_by(col(Invitation.id)).limit(limit)))


async def find_invitation(session: AsyncSession, invitation_id: str, *, now: datetime) -> Invitation | None:
    """Give an invitation that is still good."""
    statement = select(Invitation).where(col(Invitation.id) == invitation_id, col(Invitation.expires_at) > now)
    return (await session.exec(statement)).one_or_none()


async def take_invitation(session: AsyncSession, invitation_id: str, *, center_id: str | None = None) -> bool:
    """Take an invitation away, of one centre when it is given; False when somebody else took it, or there is none."""
    statement = delete(Invitation).where(col(Invitation.id) == invitation_id)
    if center_id is not None:
        statement = statement.where(col(Invitation.center_id) == center_id)
    return (await session.exec(statement)).rowcount > 0


async def forget_invitations(session: AsyncSession, *, now: datetime) -> int:
    """Take away invitations that are over; gives how many, a thousand at most."""
    some = select(col(Invitation.id)).where(col(Invitation.expires_at) <= now).limit(FORGET_ROWS)
    return (await session.exec(delete(Invitation).where(col(Invitation.id).in_(some)))).rowcount


def _at(center: Center) -> ColumnElement[bool]:
    """A membership at a centre, or at all of the organisation that the centre and the account belong to."""
    of_organisation = exists().where(
        col(UserAccount.id) == col(Membership.user_id), col(UserAccount.organisation_id) == center.organisation_id
    )
    return or_(col(Membership.center_id) == center.id, and_(col(Membership.center_id).is_(None), of_organisation))
