"""Log-in by password, and who stands behind an access token."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import structlog

from server.core.errors import InvalidInput, InvalidToken, NotEntitled, RateLimited, Unauthenticated
from server.core.passwords import Passwords
from server.core.tokens import TokenPurpose, Tokens
from server.models.accounts import Membership, RoleId, UserAccount
from server.repositories import accounts, sessions
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import Grant, LogIn, User
from server.services.clients import Client
from server.services.log_in_notes import LogInNotes
from server.services.sessions import Sessions, SignedIn
from server.services.throttles import LOG_IN_ACCOUNT, LOG_IN_ADDRESS, LOG_IN_PERSON, Limit, Throttles

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

    def __init__(
        self, units: UnitsOfWork, passwords: Passwords, tokens: Tokens, sessions: Sessions, throttles: Throttles,
        notes: LogInNotes,
    ) -> None:  # fmt: skip
        """Begin a session for each log-in; `notes` tells the audit log of those that fail."""
        self._units = units
        self._passwords = passwords
        self._tokens = tokens
        self._sessions = sessions
        self._throttles = throttles
        self._notes = notes

    async def log_in(self, email: str, password: str, client: Client | None = None) -> SignedIn:
        """Begin a session for the right password.

        Raises:
            WrongCredentials: for an unknown, a switched-off and a known account alike, after the same work.
            RateLimited: too many tries for this address, or from where the client is.

        """
        account = await self.verified(email, password, client)
        return await self._begin(account, client or Client())

    async def verified(self, email: str, password: str, client: Client | None = None) -> UserAccount:
        """Give the account of whoever knows the password; raises as `log_in`."""
        client, address = client or Client(), email.strip().lower()[: EMAIL_CHARACTERS_MAX + 1]
        of_account = ((LOG_IN_PERSON, f"{client.block} {address}"), (LOG_IN_ACCOUNT, address))
        await self._take((LOG_IN_ADDRESS, client.block), *of_account)
        account = await self._account(address)
        if account is None:
            await self._passwords.dummy_verify()
            await self._notes.failed(address, None)
            raise WrongCredentials
        good = await self._passwords.verify(password, account.password_hash)
        if not good or not account.is_active:
            _log.info("log_in_refused", user=account.id)
            await self._notes.failed(address, account)
            raise WrongCredentials
        await self._throttles.give_back(*of_account)
        await self._renew_hash(account, password)
        return account

    async def identify(self, token: str) -> User:
        """Give the user a token was issued to, with today's rights.

        Raises:
            InvalidToken: the token is not good, its session has ended, or its user is gone.

        """
        claims = self._tokens.verify(TokenPurpose.ACCESS, token)
        async with self._units.begin() as unit:
            account = await self._sessions.account_of(unit, claims.session_id, claims.subject)
            memberships = await accounts.memberships(unit.session, claims.subject) if account else []
        if account is None:
            raise InvalidToken
        return user_from(account, memberships, claims.session_id)

    def good_until_ms(self, token: str) -> int:
        """Give when a token runs out (UTC milliseconds). Raises InvalidToken."""
        return self._tokens.verify(TokenPurpose.ACCESS, token).expires_at_s * 1000

    async def users(self, log_ins: Collection[LogIn]) -> dict[LogIn, User]:
        """Give the users behind those of these log-ins that go on, with today's rights.

        Raises:
            DatabaseUnavailable: nobody's rights are known.

        """
        if not log_ins:
            return {}
        user_ids, session_ids = ({one[part] for one in log_ins} for part in (0, 1))
        async with self._units.read() as connection:
            found = await accounts.with_memberships(connection, sorted(user_ids))
            going_on = set(await sessions.going_on(connection, sorted(session_ids)))
        users = {account.id: user_from(account, memberships) for account, memberships in found}
        return {one: users[one[0]] for one in log_ins if one in going_on and one[0] in users}

    async def _take(self, of_address: tuple[Limit, str], *of_account: tuple[Limit, str]) -> None:
        """Count a try; who is locked out is told, and a crowd behind one address is not."""
        try:
            await self._throttles.take(of_address, *of_account)
        except RateLimited as error:
            names = {limit.name for limit, _ in of_account}
            if error.quota is not None and error.quota.name in names:
                await self._notes.locked_out(of_account[-1][1], error.quota.name)
            raise

    async def _begin(self, account: UserAccount, client: Client) -> SignedIn:
        async with self._units.begin(actor=account.id, origin="api") as unit:
            now = await accounts.lock(unit.session, account.id)
            # A new password, or an end of the account, that came meanwhile has ended all sessions: begin none after it.
            if now is None or not now.is_active or now.password_hash != account.password_hash:
                raise WrongCredentials
            signed_in = await self._sessions.begin(unit, account, client)
        _log.info("logged_in", user=account.id)
        return signed_in

    async def _renew_hash(self, account: UserAccount, password: str) -> None:
        """Store a hash of today's costs in place of an older one, now that the password is known."""
        if not self._passwords.needs_update(account.password_hash):
            return
        try:
            renewed = await self._passwords.hash(password)
        except InvalidInput:  # a password from before the rules; its owner keeps it
            return
        async with self._units.begin(origin="api") as unit:
            await accounts.set_hash(unit.session, account.id, old=account.password_hash, new=renewed)
        account.password_hash = renewed

    async def _account(self, email: str) -> UserAccount | None:
        if not email or len(email) > EMAIL_CHARACTERS_MAX or "\x00" in email:
            return None
        async with self._units.begin() as unit:
            return await accounts.find_by_email(unit.session, email)


def user_from(account: UserAccount, memberships: Iterable[Membership], session_id: str = "") -> User:
    """Give the user of an account with what they may do where."""
    return User(
        id=account.id,
        organisation_id=account.organisation_id,
        email=account.email,
        display_name=account.display_name,
        is_active=account.is_active,
        grants=tuple(Grant(RoleId(one.role_id), one.center_id) for one in memberships),
        session_id=session_id,
        version=account.version,
    )
