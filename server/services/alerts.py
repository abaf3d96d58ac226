"""What must be known of a child, as people at the centre keep it; desks get it with the child."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from server.core.errors import Conflict, NotFound
from server.core.etags import Expected, etag_of
from server.models.people import Alert
from server.models.rooms import Center
from server.repositories import alerts, children, people
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, find_child, read_child
from server.services.children import put_child
from server.services.roster_changes import assign

__all__ = ["Alert", "Alerts", "etag_of_alert"]

# What a child's record has room for (`sync.limits.RECORD_BODY_BYTES_MAX`): twenty of 500 characters.
ALERTS_MAX: Final = 20
_CHANGEABLE: Final = ("kind", "severity", "text")


class Alerts:
    """Keeps the alerts of children."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Write through `units`."""
        self._units = units

    async def of_child(self, center: Center, reader: User, child_id: str) -> Sequence[Alert]:
        """Give the alerts of a child as desks show them. Raises NotFound."""
        async with self._units.begin() as unit:
            await read_child(unit, reader, center.id, child_id, Part.ALERTS)
            return await children.alerts(unit.session, center.id, child_id)

    async def create(self, center: Center, user: User, child_id: str, alert: Mapping[str, str]) -> Alert:
        """Add an alert (`id`, `kind`, `severity`, `text`); the same with the same id again changes nothing.

        Raises:
            NotFound: the centre has no such child.
            Conflict: another alert has this id, or the child has too many.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            standing = await alerts.find(unit.session, center.id, alert["id"])
            if standing is not None:
                is_same = all(getattr(standing, name) == alert[name] for name in _CHANGEABLE)
                if standing.child_id != child_id or not is_same:
                    raise Conflict("Another alert has this id")
                return standing
            if len(await children.alerts(unit.session, center.id, child_id)) >= ALERTS_MAX:
                raise Conflict(f"The child has {ALERTS_MAX} alerts, and that is all a desk shows")
            made = Alert(center_id=center.id, child_id=child_id, external_id=alert["id"], **alert)
            await people.add(unit.session, [made])
            await put_child(unit, file.person, file.profile)
            return made

    async def change(
        self, center: Center, user: User, *, child_id: str, alert_id: str, changes: Mapping[str, Any],
        expected: Expected,
    ) -> Alert:  # fmt: skip
        """Change an alert. Raises NotFound or PreconditionFailed."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            alert = await _find(unit, center.id, child_id, alert_id)
            expected.require(etag_of_alert(alert))
            assign(alert, {name: changes[name] for name in _CHANGEABLE if name in changes})
            await put_child(unit, file.person, file.profile)
            return alert

    async def remove(self, center: Center, user: User, *, child_id: str, alert_id: str, expected: Expected) -> None:
        """Take an alert off every desk. Raises NotFound or PreconditionFailed."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            file = await find_child(unit, center.id, child_id)
            alert = await _find(unit, center.id, child_id, alert_id)
            expected.require(etag_of_alert(alert))
            await people.remove(unit.session, alert)
            await put_child(unit, file.person, file.profile)


def etag_of_alert(alert: Alert) -> str:
    """Give the tag of an alert's state."""
    return etag_of("alert", alert.id, alert.kind, alert.severity, alert.text)


async def _find(unit: UnitOfWork, center_id: str, child_id: str, alert_id: str) -> Alert:
    alert = await alerts.find(unit.session, center_id, alert_id)
    if alert is None or alert.child_id != child_id:
        raise NotFound("The child has no such alert")
    return alert
