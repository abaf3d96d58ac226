"""A child's alerts, the critical ones first: what must be seen before anybody acts."""

from collections.abc import Sequence
from typing import Final

from textual.widgets import Static

from kiosk.widgets.wording import ALERT_SYMBOL
from sync.records import AlertRecord

CRITICAL: Final = "critical"


def critical_first(alerts: Sequence[AlertRecord]) -> list[AlertRecord]:
    """The same alerts in the order to read them."""
    return sorted(alerts, key=lambda alert: alert.severity != CRITICAL)


class AlertLines(Static):
    """One line per alert; nothing at all where there is none."""

    def __init__(self, alerts: Sequence[AlertRecord]) -> None:
        words = [f"{ALERT_SYMBOL} {_lead(alert)}: {alert.text}" for alert in critical_first(alerts)]
        super().__init__("\n".join(words), markup=False)
        self.display = bool(words)


def _lead(alert: AlertRecord) -> str:
    return alert.kind.upper() if alert.severity == CRITICAL else alert.kind.capitalize()
