"""Who may give which role to whom, and who may take it: the rules alone, without a database.

| who asks | may give and take | never |
|---|---|---|
| manager of the centre | parent, staff, manager, at this centre | anything of an admin, the role admin |
| admin of the organisation | every role, at every centre of it | the role admin to an account from elsewhere |

Nobody takes a role from themselves or switches themselves off, and the last admin of an organisation stays.
"""

from collections.abc import Collection
from dataclasses import dataclass

from server.core.errors import Conflict, NotEntitled
from server.models.accounts import RoleId


class OwnRole(Conflict):
    """Somebody would take away what lets them be here."""

    code = "own_role"
    title = "You cannot take a role from yourself or switch yourself off: ask another manager or admin"


class LastAdmin(Conflict):
    """The organisation would be without anybody who can change everything."""

    code = "last_admin"
    title = "This is the last admin of the organisation: make another one first"


class OtherOrganisation(Conflict):
    """An admin is one for the organisation of the account, and that is another."""

    code = "other_organisation"
    title = "This account belongs to another organisation and cannot be an admin of this one"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: their id, their roles at this centre, and the centres where they are manager."""

    id: str
    roles: frozenset[RoleId]
    managed_center_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whom it is about: their roles at this centre, and where else they have any.

    `is_of_organisation` tells whether the account belongs to the organisation of the centre; `other_admins` counts the
    active admins that organisation has beside this one.
    """

    id: str
    roles: frozenset[RoleId]
    center_ids: frozenset[str]
    is_active: bool
    is_of_organisation: bool
    other_admins: int


def check_role(asker: Asker, role: RoleId) -> None:
    """Raise NotEntitled when somebody may not give a role."""
    if role is RoleId.ADMIN and RoleId.ADMIN not in asker.roles:
        raise NotEntitled("Only an admin makes admins")


def check_roles(asker: Asker, target: Standing, wanted: Collection[RoleId]) -> None:
    """Say whether somebody's roles at a centre may become these; none at all ends their membership.

    Raises:
        NotEntitled: it is not the asker's to decide.
        OwnRole, LastAdmin, OtherOrganisation: it would be a mistake.

    """
    _check_admin(asker, target)
    if asker.id == target.id and not target.roles <= set(wanted):
        raise OwnRole
    for role in wanted:
        check_role(asker, role)
    if RoleId.ADMIN in wanted and not target.is_of_organisation:
        raise OtherOrganisation
    if RoleId.ADMIN in target.roles and RoleId.ADMIN not in wanted:
        _check_last(target)


def check_active(asker: Asker, target: Standing, wanted: bool) -> None:  # noqa: FBT001 - it is the value that is set
    """Say whether somebody's account may be switched on or off; it is the account, at all centres.

    Raises:
        NotEntitled: it is not the asker's to decide.
        OwnRole, LastAdmin: it would be a mistake.

    """
    _check_admin(asker, target)
    if RoleId.ADMIN in asker.roles:
        if not target.is_of_organisation:
            raise NotEntitled("This account belongs to another organisation: end its membership instead")
    elif not target.center_ids <= asker.managed_center_ids:
        raise NotEntitled("This person is at other centres too: end the membership at yours instead")
    if wanted:
        return
    if asker.id == target.id:
        raise OwnRole
    if RoleId.ADMIN in target.roles and target.is_active:
        _check_last(target)


def _check_admin(asker: Asker, target: Standing) -> None:
    if RoleId.ADMIN in target.roles and RoleId.ADMIN not in asker.roles:
        raise NotEntitled("Only an admin changes what an admin may do")


def _check_last(target: Standing) -> None:
    if target.other_admins == 0:
        raise LastAdmin
