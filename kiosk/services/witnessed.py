"""What this desk has seen other desks record and a restored server has lost: it counts here until the log has it again.

When the server begins another life, the replica is replaced by what the server still knows. The events that it lacks
are told to it as entries of this desk's own journal. Until they are back in the log they stand here as before, or a
child who is in the building would be shown as gone for as long as the way to the server takes, which may be weeks.
"""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from kiosk.services.own_facts import counts_by_itself
from kiosk.store.journal import OwnEntry
from sync.attendance import Fact
from sync.intake import WITNESSED_KIND, fact_of_record
from sync.records import EventRecord

_DECODER: Final = msgspec.json.Decoder(EventRecord)


class Witnessed:
    """The facts in this desk's entries of kind `witnessed`, by subject (a child, mostly) and event."""

    def __init__(self) -> None:
        self._of_subject: dict[str, dict[str, tuple[OwnEntry, Fact]]] = {}

    def clear(self) -> None:
        """Begin anew from the store."""
        self._of_subject.clear()

    def put(self, entry: OwnEntry) -> str:
        """An entry of this desk, answered or not; gives whom it is about, or nothing when it is none of these."""
        if entry.kind != WITNESSED_KIND:
            return ""
        try:
            fact = fact_of_record(_DECODER.decode(entry.body))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""  # a newer server made the record: it is kept, told, and not understood here
        self._of_subject.setdefault(fact.event.subject_id, {})[entry.event_id] = (entry, fact)
        return fact.event.subject_id

    def subjects(self) -> Collection[str]:
        """Of whom something was witnessed."""
        return self._of_subject.keys()

    def counting(self, subject_id: str, version: int, *, is_on_file: bool) -> Iterator[tuple[str, Fact]]:
        """The facts of a subject that the log up to this version does not hold and that count, by event id."""
        for event_id, (entry, fact) in self._of_subject.get(subject_id, {}).items():
            if counts_by_itself(entry, version, is_on_file=is_on_file):
                yield event_id, fact

    def unanswered(self, subject_id: str) -> frozenset[str]:
        """The events of a subject about which the server has said nothing yet."""
        found = self._of_subject.get(subject_id, {})
        return frozenset(event_id for event_id, (entry, _) in found.items() if entry.outcome is None)
