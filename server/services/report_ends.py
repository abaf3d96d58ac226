"""The two ends of stays as reports tell them: what counts of each event, and whether its entry is what was signed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.repositories import attendance, stay_evidence
from server.repositories.reports import ReportStay
from server.repositories.stay_evidence import EntryKey, StoredEntry, StoredEvent
from server.repositories.unit_of_work import Connection
from server.services.entry_checks import EntryChecks, check_entry
from sync.amendments import amend
from sync.attendance import EventKind, Fact
from sync.limits import WALL_MS_MAX

# A person types what happened a while ago; what is entered within a minute is entered at once.
LATE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Ends:
    """The facts of the ends of some stays by event id, and names by id.

    `said`: as it was said first. `now`: as it counts, where it does. `entries` are empty where signatures are not
    asked for.
    """

    said: Mapping[str, Fact]
    now: Mapping[str, Fact]
    names: Mapping[str, str]
    entries: Mapping[tuple[str, str, int], StoredEntry]
    events: Mapping[str, StoredEvent]

    def fact(self, event_id: str) -> Fact | None:
        """Give an end as it counts."""
        return self.now.get(event_id) or self.said.get(event_id)

    def who(self, event_id: str) -> str:
        """Give who brought or collected the child; empty: nobody said."""
        fact = self.fact(event_id)
        return (fact.event.adult_name or self.names.get(fact.event.adult_id, "")) if fact else ""

    def method(self, event_id: str) -> str:
        """Give how it was recorded, how somebody was known, and who of the staff recorded it."""
        fact = self.fact(event_id)
        if fact is None:
            return ""
        event = fact.event
        checked = "" if event.identity_check == "none" else event.identity_check
        parts = [event.auth_method, checked, self.names.get(event.staff_id, "") or event.author]
        return ", ".join(
            part.replace("_", " ") if part in {event.auth_method, checked} else part for part in parts if part
        )

    def desk(self, event_id: str) -> str:
        """Give the desk at which it was recorded."""
        fact = self.fact(event_id)
        return self.names.get(fact.device_id, "") if fact else ""

    def signature(self, event_id: str) -> str:
        """Tell whether what is stored is what the desk signed."""
        fact = self.said.get(event_id)
        if fact is None:
            return ""
        entry = self.entries.get((fact.device_id, fact.incarnation, fact.seq))
        return signature_words(None if entry is None else check_entry(entry, fact, self.events.get(event_id)))

    def remarks(self, event_id: str, end: str) -> list[str]:
        """Say of an end what a reader must know: entered later, or said anew."""
        first = self.said.get(event_id)
        if first is None:
            return []
        now, event = self.now.get(event_id), first.event
        is_told = event.kind is EventKind.REVIEW_RESOLVED
        is_later = is_told or event.recorded_at_ms - event.occurred_at_ms > LATE_MS
        is_anew = now is not None and not is_told and now.event != event
        return [f"{end} entered later"] * is_later + [f"{end} corrected"] * is_anew


def signature_words(checks: EntryChecks | None) -> str:
    """Give the result of checking an entry in words; None: the entry is not here (another desk told its fact)."""
    if checks is None or checks.signature_verifies is None:
        return "cannot be checked"
    return "valid" if checks.is_sound else "NOT VALID"


async def read_ends(
    connection: Connection, center_id: str, stays: Sequence[ReportStay], *, more_ids: Iterable[str] = ()
) -> Ends:
    """Read the ends of stays without their entries; `more_ids` are named too."""
    wanted = [(center_id, one) for stay in stays for one in (stay.check_in, stay.check_out) if one]
    # No fact is from then or later: of each child its acts alone are read beside the ends.
    acts_only = {(center_id, stay.subject_id): WALL_MS_MAX for stay in stays}
    found = (await attendance.facts_around(connection, acts_only, wanted)).get(center_id, [])
    by_subject: dict[str, dict[str, Fact]] = {}
    for known in found:
        fact = known.fact
        by_subject.setdefault(fact.event.subject_id, {})[fact.event.event_id] = fact
    now: dict[str, Fact] = {}
    for facts in by_subject.values():
        amended = amend(sorted(facts.values(), key=lambda one: one.order)).facts
        now |= {fact.event.event_id: fact for fact in amended}
    said = {event_id: fact for facts in by_subject.values() for event_id, fact in facts.items()}
    named = {
        one for fact in (*said.values(), *now.values())
        for one in (fact.device_id, fact.event.adult_id, fact.event.staff_id)
    }  # fmt: skip
    names = await stay_evidence.names_of(connection, center_id, {*named, *more_ids})
    return Ends(said, now, names, {}, {})


async def with_entries(connection: Connection, center_id: str, ends: Ends, event_ids: Sequence[str]) -> Ends:
    """Read what was signed of some of the ends."""
    facts = [ends.said[one] for one in event_ids if one in ends.said]
    keys = [EntryKey(fact.device_id, fact.incarnation, fact.seq) for fact in facts]
    entries = await stay_evidence.entries(connection, center_id, keys, ()) if keys else []
    events = await stay_evidence.stored_events(connection, center_id, event_ids)
    by_key = {(one.device_id, one.entry.incarnation, one.entry.seq): one for one in entries}
    return Ends(ends.said, ends.now, ends.names, by_key, events)
