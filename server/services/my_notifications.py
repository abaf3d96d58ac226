"""Of what a guardian wants to be told by mail, child by child."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.core.clock import Clock
from server.core.errors import FieldProblem, InvalidInput, NotFound
from server.models.webhooks import NotificationChoice
from server.repositories import center_events, notices
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.guardian_notices import CHOICES
from server.services.guardian_rights import children_of

_TWICE: Final = "Name each child once"


@dataclass(frozen=True, slots=True)
class Choice:
    """Of what an account is told about a child; `may_hear`: whether the centre lets it be told of anything."""

    child_id: str
    kinds: Sequence[str]
    may_hear: bool = True


class MyNotifications:
    """Keeps the choices of guardians."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def mine(self, user: User) -> list[Choice]:
        """Give what the user is told about each child whom they may see."""
        async with self._units.begin() as unit:
            chosen = {one.child_id: one.kinds for one in await notices.of_user(unit.session, user.id)}
            children = await children_of(unit.connection, user)
        return [Choice(one.child_id, chosen.get(one.child_id, ()), one.receives_notifications) for one in children]

    async def put(self, user: User, wanted: Sequence[Choice]) -> list[Choice]:
        """Let the user be told of these things about these children; other children stay as they are.

        Raises:
            NotFound: one of the children is none whom the user may see.
            InvalidInput: a child is named twice.

        """
        if len({one.child_id for one in wanted}) != len(wanted):
            raise InvalidInput(_TWICE, (FieldProblem("/items", _TWICE),))
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            centers = {one.child_id: one.center_id for one in await children_of(unit.connection, user)}
            chosen = {one.child_id: one for one in await notices.of_user(unit.session, user.id)}
            for one in wanted:
                if one.child_id not in centers:
                    raise NotFound("There is no such child among yours")
                center_id, kinds = centers[one.child_id], [kind for kind in CHOICES if kind in one.kinds]
                standing = chosen.get(one.child_id)
                if kinds:
                    row = NotificationChoice(
                        center_id=center_id, user_id=user.id, child_id=one.child_id, kinds=kinds, changed_at=now
                    )
                    await notices.put(unit.session, row)
                elif standing is not None:
                    await notices.remove(unit.session, standing)
            for center_id in sorted({centers[one.child_id] for one in wanted}):
                await center_events.listen(unit.connection, center_id)
                await notices.begin(unit.connection, center_id)
        return await self.mine(user)
