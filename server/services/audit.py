"""The audit log as people look into it: who did and read what at a centre, or in an organisation as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.core.audit_chain import AuditEntry
from server.core.errors import NotEntitled
from server.repositories import audit
from server.repositories.audit import Wanted
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import Center, RoleId, User

__all__ = ["Audit", "AuditEntry", "AuditPage", "Wanted"]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, the newest first; `before`: the number before which there are more, None at the end."""

    items: Sequence[AuditEntry]
    before: int | None


class Audit:
    """Reads the audit log; it is written by `repositories.unit_of_work`, with what it tells of."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def of_center(self, center: Center, wanted: Wanted, *, before: int | None, limit: int) -> AuditPage:
        """Give a page of what was done and read at a centre."""
        return await self._page(center.id, wanted, before, limit)

    async def of_organisation(self, user: User, wanted: Wanted, *, before: int | None, limit: int) -> AuditPage:
        """Give a page of what was done in the user's organisation and belongs to none of its centres.

        Raises:
            NotEntitled: the user is no admin of the organisation.

        """
        if not any(grant.role is RoleId.ADMIN and grant.center_id is None for grant in user.grants):
            raise NotEntitled("Only an admin sees what was done in the organisation; name a centre of yours")
        return await self._page(user.organisation_id, wanted, before, limit)

    async def _page(self, chain_id: str, wanted: Wanted, before: int | None, limit: int) -> AuditPage:
        async with self._units.read() as connection:
            rows = await audit.page(connection, chain_id, wanted, before=before, limit=limit + 1)
        return AuditPage(rows[:limit], rows[limit - 1].seq if len(rows) > limit else None)
