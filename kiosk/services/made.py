"""What is made of the facts of one subject: their fold and their places in order, kept until the facts are others."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sync.attendance import ChildAttendance, Fact

Order = tuple[int, int, str, str, int, str]
"""The place of a fact among others (`Fact.order`): begins with when it happened, and ends with its event."""


@dataclass
class Made:
    """Facts of a child by event id, and once somebody asked for them their fold and their places in order."""

    facts: dict[str, Fact]
    attendance: ChildAttendance | None = None
    _orders: dict[str, Order] = field(default_factory=dict)
    _ordered: dict[str, Fact] = field(default_factory=dict)

    def orders(self) -> Collection[Order]:
        """The places of all facts; a fact that was there before keeps its own."""
        if self._ordered is not self.facts:
            self._orders = {
                event_id: self._orders[event_id] if self._ordered.get(event_id) is fact else fact.order
                for event_id, fact in self.facts.items()
            }
            self._ordered = self.facts
        return self._orders.values()

    def with_facts(self, facts: dict[str, Fact]) -> "Made":
        """The same child with other facts; most of them were there before."""
        return Made(facts, None, self._orders, self._ordered)
