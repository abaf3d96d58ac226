"""Making log-ins."""

from collections.abc import Callable
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.core.passwords import Passwords, check_new_password
from server.core.text import clean_text
from server.models.accounts import Membership, RoleId, UserAccount
from server.models.columns import NAME_MAX
from server.repositories import accounts, centers
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork

WORD_CHARACTERS_MIN = 4


@dataclass(frozen=True, slots=True)
class NewUser:
    """Whom to make; `center_code` may be empty for an admin when there is one organisation only."""

    email: str
    name: str
    role: RoleId
    center_code: str = ""


class Accounts:
    """Makes accounts."""

    def __init__(self, units: UnitsOfWork, passwords: Passwords, clock: Clock, new_id: Callable[[], str]) -> None:
        """Name what is new by `new_id`."""
        self._units = units
        self._passwords = passwords
        self._clock = clock
        self._new_id = new_id

    async def create(self, user: NewUser, password: str) -> str:
        """Make an account with one role; gives its id.

        Raises:
            InvalidInput: the address, the name or the password breaks a rule.
            NotFound: there is no such centre.
            Conflict: somebody has this address already.

        """
        email, name = clean_email(user.email), clean_text(user.name, what="The name", length_max=NAME_MAX)
        check_new_password(password, known_words(email, name))
        password_hash = await self._passwords.hash(password)
        async with self._units.begin(origin="accounts") as unit:
            organisation_id, center_id = await self._place(unit, user)
            if await accounts.find_by_email(unit.session, email) is not None:
                raise Conflict("There is an account with this e-mail address already")
            account = UserAccount(
                id=self._new_id(), organisation_id=organisation_id, email=email, display_name=name,
                password_hash=password_hash, is_active=True, created_at=self._clock.now(),
            )  # fmt: skip
            membership = Membership(id=self._new_id(), user_id=account.id, center_id=center_id, role_id=user.role.value)
            await accounts.add(unit.session, account, membership)
        return account.id

    async def _place(self, unit: UnitOfWork, user: NewUser) -> tuple[str, str | None]:
        """The organisation, and the centre; an admin has none and is one for all of the organisation."""
        if user.center_code:
            center = await centers.find_by_code(unit.session, user.center_code)
            if center is None:
                raise NotFound(f"There is no centre with the code {user.center_code}; import one first")
            return center.organisation_id, None if user.role is RoleId.ADMIN else center.id
        if user.role is not RoleId.ADMIN:
            raise InvalidInput("Say which centre: only an admin is one for a whole organisation")
        organisations = await centers.organisations(unit.session)
        if len(organisations) != 1:
            raise InvalidInput("Name any centre of the organisation: there is more than one, or none yet")
        return organisations[0].id, None


def known_words(email: str, name: str) -> tuple[str, ...]:
    """Give the words of an address and a name that a password must not be made of."""
    words = f"{email} {name}".replace("@", " ").replace(".", " ").split()
    return tuple(word for word in words if len(word) >= WORD_CHARACTERS_MIN)


def clean_email(email: str) -> str:
    """Give an e-mail address as accounts have it, in lower case. Raises InvalidInput for what is none."""
    try:
        found = validate_email(email.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        found = ""
    if not found or len(found) > NAME_MAX:
        detail = "This is no e-mail address"
        raise InvalidInput(detail, (FieldProblem("/email", detail),))
    return found
