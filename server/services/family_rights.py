"""What an account may do for a child because it belongs to its family; the rights of staff are in `access`."""

from typing import Protocol

from server.services.access import User


class FamilyRights(Protocol):
    """Says for whom an account may speak."""

    async def may_book(self, user: User, center_id: str, child_id: str) -> bool:
        """Whether the user may book, and see what is booked, for a child of a centre; asked before a transaction."""
        ...


class NoFamilyLinks:
    """No account is linked to a child: only staff book."""

    async def may_book(self, user: User, center_id: str, child_id: str) -> bool:
        """Nobody may."""
        del user, center_id, child_id
        return False
