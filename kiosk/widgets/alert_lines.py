"""A child's alerts, the critical ones first: what must be seen before anybody acts."""

from collections.abc import Sequence
from typing import Final

import msgspec
from textual.widgets import Static

from kiosk.widgets.wording import ALERT_SYMBOL
from sync.records import AlertRecord

CRITICAL: Final = "critical"
CHECK_IN: Final = "check in"
CHECK_OUT: Final = "check out"
EVERY_KIND: Final[frozenset[str]] = frozenset()
# What must be read before a child comes, and before it is given to somebody.
ALERTS_TO_READ: Final = {CHECK_IN: EVERY_KIND, CHECK_OUT: frozenset({"custody", "medical"})}


def must_read(alerts: Sequence[AlertRecord], kinds: frozenset[str]) -> bool:
    """Whether one of the alerts is critical, and of one of these kinds; no kinds stand for every kind."""
    return any(one.severity == CRITICAL and (not kinds or one.kind in kinds) for one in alerts)


def critical_first(alerts: Sequence[AlertRecord]) -> list[AlertRecord]:
    """The same alerts in the order to read them."""
    return sorted(alerts, key=lambda alert: alert.severity != CRITICAL)


def named(name: str, alerts: Sequence[AlertRecord]) -> list[AlertRecord]:
    """The same alerts, each with whose it is: where several children are shown together."""
    return [msgspec.structs.replace(one, text=f"{name}: {one.text}") for one in alerts]


class AlertLines(Static):
    """One line per alert; nothing at all where there is none."""

    def __init__(self, alerts: Sequence[AlertRecord]) -> None:
        super().__init__("", markup=False)
        self._alerts = alerts

    def on_mount(self) -> None:
        """Show them."""
        self.show(self._alerts)

    def show(self, alerts: Sequence[AlertRecord]) -> None:
        """Show these instead."""
        words = [f"{ALERT_SYMBOL} {_lead(alert)}: {alert.text}" for alert in critical_first(alerts)]
        self.update("\n".join(words))
        self.display = bool(words)


def _lead(alert: AlertRecord) -> str:
    return alert.kind.upper() if alert.severity == CRITICAL else alert.kind.capitalize()
