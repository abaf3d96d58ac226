"""Invitations: how people come to a centre, by a mail that only they can read.

Whoever invites gets the same answer whether the address has an account or not. An account of the same organisation is
added at once and told by mail; everybody else gets a link. An account of another organisation needs the link too, so
that nobody learns the name behind an address by inviting it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.asking import CHANGED, Act, asking_now
from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.core.mailed_tokens import TokenKind
from server.core.passwords import Passwords, check_new_password
from server.core.text import clean_text
from server.models.accounts import RoleId, UserAccount
from server.models.columns import NAME_MAX
from server.models.rooms import Center
from server.models.sessions import Invitation
from server.repositories import accounts, centers, members
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.account_mails import added_mail, invitation_mail
from server.services.accounts import clean_email, known_words
from server.services.clients import Client
from server.services.members import asker_of, membership
from server.services.membership_rules import OtherOrganisation, check_role
from server.services.recoveries import LinkNotGood, Post
from server.services.throttles import INVITATIONS, MAILED_TOKEN_ADDRESS, Throttles

__all__ = ["Accepted", "Applicant", "Invitation", "InvitationPage", "Invitations", "Invited"]

LIFETIME: Final = timedelta(days=7)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Invited:
    """What an inviter is told, whoever the address belongs to."""

    email: str
    role: RoleId
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """Some open invitations, and after which one the next page begins; None at the end."""

    items: tuple[Invitation, ...]
    after: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Applicant:
    """What somebody who accepts says of themselves; both stay empty for who has an account."""

    display_name: str
    password: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Whose account it is now, and whether it was made just then."""

    email: str
    is_new: bool


class Invitations:
    """Invites, and lets in."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], post: Post, passwords: Passwords,
        throttles: Throttles,
    ) -> None:  # fmt: skip
        """Mail goes out by `post`."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._post = post
        self._passwords = passwords
        self._throttles = throttles

    async def invite(self, user: User, center: Center, email: str, role: RoleId) -> Invited:
        """Ask somebody to join a centre with a role; a second invitation of an address replaces the first.

        Raises:
            InvalidInput: it is no e-mail address.
            NotEntitled: the role is not the asker's to give.
            RateLimited: the asker invited too many.
            Conflict: the centre has too many open invitations.

        """
        check_role(asker_of(user, center), role)
        address = clean_email(email)
        await self._throttles.take((INVITATIONS, user.id))
        now = self._clock.now()
        row = Invitation(
            id=self._new_id(), center_id=center.id, email=address, role_id=role.value, invited_by=user.id,
            created_at=now, expires_at=now + LIFETIME,
        )  # fmt: skip
        async with self._units.begin(actor=user.id, origin="api") as unit:
            account = await accounts.find_by_email(unit.session, address)
            if account is not None and account.organisation_id == center.organisation_id:
                await self._add_known(unit, center, account.id, role)
            elif await members.invite(unit.session, row, now=now):
                mail = invitation_mail(row.id, address, center.name, role, self._post.base_url)
                await self._post.outbox.queue(unit, [mail])
            else:
                raise Conflict("This centre has a thousand open invitations: withdraw some first")
        _log.info("invited", center=center.id, role=role.name.lower(), by=user.id)
        return Invited(address, role, row.expires_at)

    async def page(self, center: Center, *, after: str | None, limit: int) -> InvitationPage:
        """Give the open invitations of a centre, the oldest first."""
        async with self._units.begin() as unit:
            found = await members.invitations(
                unit.session, center.id, now=self._clock.now(), after=after, limit=limit + 1
            )
        items = tuple(found[:limit])
        return InvitationPage(items, items[-1].id if len(found) > limit else None)

    async def withdraw(self, user: User, center: Center, invitation_id: str) -> None:
        """Take an invitation back; its link opens nothing any more. Raises NotFound when the centre has none such."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            gone = await members.take_invitation(unit.session, invitation_id, center_id=center.id)
        if not gone:
            raise NotFound("There is no such invitation")
        _log.info("invitation_withdrawn", center=center.id, by=user.id)

    async def accept(self, token: str, applicant: Applicant, client: Client) -> Accepted:
        """Join a centre with the token of a mail; makes the account, unless the address has one.

        An account that is there keeps its name and its password, whatever is sent.

        Raises:
            LinkNotGood: the token is not good, or is not any more.
            InvalidInput: the name or the password breaks a rule; the token stays good.
            OtherOrganisation: an account of another organisation cannot be an admin of this one.
            RateLimited: too many from where the client is.

        """
        await self._throttles.take((MAILED_TOKEN_ADDRESS, client.block))
        invitation_id = self._post.tokens.row_of(TokenKind.INVITATION, token)
        if invitation_id is None:
            raise LinkNotGood
        async with self._units.begin() as unit:
            invitation = await members.find_invitation(unit.session, invitation_id, now=self._clock.now())
            if invitation is not None:
                await unit.reach_also(invitation.center_id)
            known = await accounts.find_by_email(unit.session, invitation.email) if invitation else None
            center = await centers.find(unit.session, invitation.center_id) if invitation else None
        if invitation is None or center is None:
            raise LinkNotGood
        made = None if known is not None else await self._made(invitation, center, applicant)
        async with self._units.begin(origin="invitation") as unit:
            await unit.reach_also(center.id, center.organisation_id)
            accepted = await self._let_in(unit, invitation, center, made)
        _log.info("invitation_accepted", center=center.id, is_new=accepted.is_new)
        return accepted

    async def _made(self, invitation: Invitation, center: Center, applicant: Applicant) -> UserAccount:
        try:
            name = clean_text(applicant.display_name, what="The name", length_max=NAME_MAX)
        except InvalidInput as error:
            raise InvalidInput(error.detail, (FieldProblem("/display_name", error.detail),)) from None
        check_new_password(applicant.password, known_words(invitation.email, name))
        return UserAccount(
            id=self._new_id(), organisation_id=center.organisation_id, email=invitation.email, display_name=name,
            password_hash=await self._passwords.hash(applicant.password), is_active=True, created_at=self._clock.now(),
        )  # fmt: skip

    async def _let_in(
        self, unit: UnitOfWork, invitation: Invitation, center: Center, made: UserAccount | None
    ) -> Accepted:
        await members.lock_organisation(unit.session, center.organisation_id)
        if not await members.take_invitation(unit.session, invitation.id):
            raise LinkNotGood
        is_new = made is not None and await members.add_account(unit.session, made)
        account = await accounts.find_by_email(unit.session, invitation.email)
        if account is None:
            raise LinkNotGood
        role = RoleId(invitation.role_id)
        if role is RoleId.ADMIN and account.organisation_id != center.organisation_id:
            raise OtherOrganisation
        await self._give(unit, center, account.id, role)
        unit.note(
            center.id, replace(asking_now(), actor=account.id), Act(CHANGED, "membership", account.id, "invitation")
        )
        return Accepted(account.email, is_new)

    async def _add_known(self, unit: UnitOfWork, center: Center, user_id: str, role: RoleId) -> None:
        await members.lock_organisation(unit.session, center.organisation_id)
        if await self._give(unit, center, user_id, role):
            account = await accounts.find(unit.session, user_id)
            if account is not None:
                mail = added_mail(self._new_id(), account.email, center.name, role, self._post.base_url)
                await self._post.outbox.queue(unit, [mail])

    async def _give(self, unit: UnitOfWork, center: Center, user_id: str, role: RoleId) -> bool:
        account = await accounts.lock(unit.session, user_id)
        is_new = await members.give_role(unit.session, membership(self._new_id(), user_id, center, role))
        if account is not None and is_new:
            account.version += 1
            unit.session.add(account)
            await unit.session.flush()
        return is_new
