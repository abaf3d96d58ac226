"""Who may have which export: whoever asked, and only with the rights of today."""

from collections.abc import Sequence

from server.core.errors import NotFound
from server.models.exports import DataExport, ExportKind
from server.repositories import accounts, centers
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork
from server.services.access import MANAGER_AND_UP, User
from server.services.auth import user_from
from server.services.child_files import find_child
from server.services.export_content import Subject, child_at
from server.services.export_words import Reader
from server.services.guardian_rights import children_of


async def asker_of(unit: UnitOfWork, export: DataExport) -> User | None:
    """Give who asked, as they are now; None when the account is no more, or was switched off."""
    account = await accounts.find(unit.session, export.user_id)
    if account is None or not account.is_active:
        return None
    return user_from(account, await accounts.memberships(unit.session, account.id))


async def subject_of(unit: UnitOfWork, user: User, export: DataExport) -> Subject | None:
    """Give what an export tells its asker by the rights of now; None: the right to that child is gone."""
    if export.kind == ExportKind.FAMILY:
        return Subject(user, Reader.GUARDIAN, await children_of(unit.connection, user))
    child = await _child(unit, user, export)
    return None if child is None else Subject(user, Reader.CENTER, [child])


async def is_entitled(unit: UnitOfWork, export: DataExport) -> bool:
    """Whether whoever asked may still have everything that is in the file."""
    user = await asker_of(unit, export)
    if user is None:
        return False
    subject = await subject_of(unit, user, export)
    if subject is None:
        return False
    seen, booked = ids_of(subject.children)
    return set(export.child_ids) <= set(seen) and set(export.booked_ids) <= set(booked)


def ids_of(children: Sequence[FamilyChild]) -> tuple[list[str], list[str]]:
    """Give the ids of children, and of those with whose bookings; one who is at two centres is one child."""
    return sorted({one.child_id for one in children}), sorted({one.child_id for one in children if one.can_book})


async def _child(unit: UnitOfWork, user: User, export: DataExport) -> FamilyChild | None:
    center = await centers.find(unit.session, export.center_id or "")
    if center is None or not user.roles_at(center) & MANAGER_AND_UP:
        return None
    try:
        return child_at(center, await find_child(unit, center.id, export.child_id or ""))
    except NotFound:
        return None
