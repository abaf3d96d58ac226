"""Log-in by password, and who stands behind an access token."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import structlog

from server.core.errors import InvalidToken, NotEntitled, Unauthenticated
from server.core.passwords import Passwords
from server.core.tokens import TokenPurpose, Tokens
from server.models.accounts import Membership, RoleId, UserAccount
from server.repositories import accounts
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import Grant, User

EMAIL_CHARACTERS_MAX = 200

_log = structlog.get_logger(__name__)


class WrongCredentials(Unauthenticated):
    """Nobody has this e-mail address with this password; which of the two is wrong is not told."""

    code = "wrong_credentials"
    title = "The e-mail address or the password is not right"


class AccountInactive(NotEntitled):
    """The account was switched off."""

    code = "account_inactive"
    title = "This account is switched off; ask a manager"


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and for how many seconds it is good."""

    token: str
    expires_in_s: int


class Auth:
    """Log-ins of people."""

    def __init__(self, units: UnitsOfWork, passwords: Passwords, tokens: Tokens, *, lifetime_s: int) -> None:
        """Issue tokens that are good for `lifetime_s` seconds."""
        self._units = units
        self._passwords = passwords
        self._tokens = tokens
        self._lifetime_s = lifetime_s

    async def log_in(self, email: str, password: str) -> IssuedToken:
        """Give an access token for the right password.

        Raises:
            WrongCredentials: for an unknown, a switched-off and a known account alike, after the same work.

        """
        account = await self.verified(email, password)
        _log.info("logged_in", user=account.id)
        token = self._tokens.issue(TokenPurpose.ACCESS, account.id, lifetime_s=self._lifetime_s)
        return IssuedToken(token, self._lifetime_s)

    async def verified(self, email: str, password: str) -> UserAccount:
        """Give the account of whoever knows the password; raises as `log_in`."""
        account = await self._account(email.strip().lower())
        if account is None:
            await self._passwords.dummy_verify()
            raise WrongCredentials
        good = await self._passwords.verify(password, account.password_hash)
        if not good or not account.is_active:
            _log.info("log_in_refused", user=account.id)
            raise WrongCredentials
        return account

    async def identify(self, token: str) -> User:
        """Give the user a token was issued to, with today's rights.

        Raises:
            InvalidToken: the token is not good, or its user is gone.

        """
        claims = self._tokens.verify(TokenPurpose.ACCESS, token)
        async with self._units.begin() as unit:
            account = await accounts.find(unit.session, claims.subject)
            memberships = await accounts.memberships(unit.session, claims.subject)
        if account is None:
            raise InvalidToken
        return user_from(account, memberships)

    def good_until_ms(self, token: str) -> int:
        """Give when a token runs out (UTC milliseconds). Raises InvalidToken."""
        return self._tokens.verify(TokenPurpose.ACCESS, token).expires_at_s * 1000

    async def users(self, user_ids: Collection[str]) -> dict[str, User]:
        """Give those of these users that there are, by id, with today's rights.

        Raises:
            DatabaseUnavailable: nobody's rights are known.

        """
        if not user_ids:
            return {}
        async with self._units.read() as connection:
            found = await accounts.with_memberships(connection, sorted(user_ids))
        return {account.id: user_from(account, memberships) for account, memberships in found}

    async def _account(self, email: str) -> UserAccount | None:
        if not email or len(email) > EMAIL_CHARACTERS_MAX or "\x00" in email:
            return None
        async with self._units.begin() as unit:
            return await accounts.find_by_email(unit.session, email)


def user_from(account: UserAccount, memberships: Iterable[Membership]) -> User:
    """Give the user of an account with what they may do where."""
    return User(
        id=account.id,
        organisation_id=account.organisation_id,
        email=account.email,
        display_name=account.display_name,
        is_active=account.is_active,
        grants=tuple(Grant(RoleId(one.role_id), one.center_id) for one in memberships),
    )
