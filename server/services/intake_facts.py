"""What the decisions on pushes depend on, read in a few queries however many entries there are; and their projections.

A subject is folded from an arrival that found nobody in, before the earliest new event; one with a new act (a void, a
correction, an answer) from its first fact, since an act may reach anywhere; so is one without such an arrival.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from server.models.rooms import Center
from server.repositories import attendance, center_days, projections
from server.repositories.attendance import CenterKey
from server.repositories.projections import Fresh, SubjectRows
from server.repositories.unit_of_work import Connection, UnitOfWork
from server.services.intake_case import Case
from server.services.intake_memory import IntakeMemory, Remembered
from server.services.projections import is_critical, rows_of
from sync.amendments import ACTS
from sync.attendance import AttendanceEvent, corrected_at_ms, fold_spans
from sync.intake import Intake
from sync.limits import REPLICA_DAYS, WALL_MS_MAX, WALL_MS_MIN
from sync.records import CenterRecord
from sync.reference import employment

DAY_MS: Final = 24 * 3_600_000
# A span that began longer ago is looked up again: by then there is a later one.
SPAN_MS: Final = 2 * DAY_MS

Tell = Callable[[UnitOfWork, Center, Sequence[str]], Awaitable[object]]
"""Takes the keys of critical findings of a centre, within the transaction that stores them."""

Runner = Callable[[Callable[[], object]], Awaitable[None]]
"""Computes something, in a thread when there is much of it."""


class IntakeFacts:
    """What is known of the centres of a group of pushes."""

    def __init__(self, unit: UnitOfWork, memory: IntakeMemory, tell: Tell | None = None) -> None:
        """Read within `unit`; what was read before lies in `memory`; `tell` hears of critical findings."""
        self._unit = unit
        self._tell = tell
        self._connection: Connection = unit.connection
        self._memory = memory
        self._remembered: dict[str, Remembered] = {}

    async def intakes(self, cases: Sequence[Case]) -> dict[str, Intake]:
        """Load what the decisions depend on and is not known."""
        await self._begin(cases)
        await self._learn_children(cases)
        earliest_ms = self._earliest_ms(cases)
        await self._learn_facts(cases, earliest_ms)
        await self._learn_named(earliest_ms)
        return {center_id: remembered.intake for center_id, remembered in self._remembered.items()}

    async def project(self, cases: Iterable[Case], in_thread: Runner) -> None:
        """Fold the subjects of the new facts again and write what they come to."""
        touched = {
            (case.push.device.center_id, decision.fact.event.subject_id)
            for case in cases
            for decision in case.decisions
            if decision.fact is not None
        }
        rows: list[SubjectRows] = []
        whole: list[CenterKey] = []

        def fold_all() -> None:
            for key in sorted(touched):
                found = self._continued(key)
                rows.append(found) if found is not None else whole.append(key)

        await in_thread(fold_all)
        rows += [await self._from_scratch(key) for key in whole]
        for one in rows:
            self._leave_out_what_stands(one)
        await projections.write_stays(self._connection, rows)
        await projections.write_reviews(self._connection, [one for one in rows if self._may_have_reviews(one)])
        await self._tell_critical(rows)

    async def _tell_critical(self, rows: Iterable[SubjectRows]) -> None:
        """Tell of every critical finding that is open; whoever was told of one before is not told again."""
        keys: dict[str, list[str]] = {}
        for one in rows:
            critical = [review.finding for review in one.reviews if is_critical(review)]
            if critical:
                keys.setdefault(one.center_id, []).extend(critical)
        for center_id, found in sorted(keys.items()):
            if self._tell is not None:
                await self._tell(self._unit, await center_days.center(self._unit.session, center_id), found)

    def remember(self) -> None:
        """Keep what is known of the centres; call it after the unit has committed."""
        for center_id, remembered in self._remembered.items():
            self._memory.keep(center_id, self._unit.head_of(center_id), remembered)

    async def _begin(self, cases: Sequence[Case]) -> None:
        zones = {case.push.device.center_id: case.device.time_zone for case in cases}
        for center_id in zones:
            known = self._memory.take(center_id, self._unit.head_of(center_id))
            if known is not None:
                self._remembered[center_id] = known
        missing = zones.keys() - self._remembered.keys()
        if not missing:
            return
        calendars = await projections.calendars(self._connection, sorted(missing))
        staff = await projections.staff(self._connection, sorted(missing))
        for center_id in missing:
            plain = CenterRecord(code="", name="", time_zone=zones[center_id])
            intake = Intake(
                center_id=center_id,
                time_zone=zones[center_id],
                head_version=self._unit.head_of(center_id).version,
                known_children=(),
                stored=(),
                center=calendars.get(center_id, plain),
            )
            employed = employment(staff.get(center_id, {}), zones[center_id])
            intake.learn(known_children=(), stored=(), employed=employed)
            self._remembered[center_id] = Remembered(intake)

    async def _learn_children(self, cases: Sequence[Case]) -> None:
        named = {
            (case.push.device.center_id, event.child_subject_id)
            for case in cases
            for event in case.events
            if event.child_subject_id
        }
        unknown = sorted(key for key in named if key[1] not in self._remembered[key[0]].children)
        if not unknown:
            return
        for (center_id, child_id), child in (await projections.children(self._connection, unknown)).items():
            remembered = self._remembered[center_id]
            remembered.children.add(child_id)
            records = {child_id: child.record} if child.record else {}
            pickups = {child_id: child.pickups}
            remembered.intake.learn(known_children=(child_id,), stored=(), pickups=pickups, children=records)

    def _earliest_ms(self, cases: Sequence[Case]) -> dict[CenterKey, int]:
        """When the first new event of each subject happened; an act may be about anything since the first.

        Children who are not on file, and were not taken in under a name, have no facts: what is said of them is parked.
        """
        earliest_ms: dict[CenterKey, int] = {}
        for case in cases:
            remembered = self._remembered[case.push.device.center_id]
            for event in case.events:
                child_id = event.child_subject_id
                if child_id and not event.provisional_name and child_id not in remembered.children:
                    continue
                key = (case.push.device.center_id, event.subject_id)
                earliest_ms[key] = min(earliest_ms.get(key, WALL_MS_MAX), _reaches_ms(event))
        return earliest_ms

    async def _learn_facts(self, cases: Sequence[Case], earliest_ms: Mapping[CenterKey, int]) -> None:
        await self._choose_spans(earliest_ms)
        wanted = {}
        for key, at_ms in earliest_ms.items():
            since_ms = self._since_ms(key, at_ms)
            if since_ms < self._remembered[key[0]].since_ms.get(key[1], since_ms + 1):
                wanted[key] = since_ms
        events = {
            (case.push.device.center_id, event.event_id)
            for case in cases
            for event in case.events
            if not self._remembered[case.push.device.center_id].intake.holds(event.event_id)
        }
        await self._learn(wanted, sorted(events))

    def _since_ms(self, key: CenterKey, at_ms: int) -> int:
        fresh = self._remembered[key[0]].fresh[key[1]]
        if fresh is None:
            return WALL_MS_MIN
        return max(min(fresh.began_ms, at_ms - REPLICA_DAYS * DAY_MS), WALL_MS_MIN)

    async def _choose_spans(self, earliest_ms: Mapping[CenterKey, int]) -> None:
        """Say for each subject from which arrival on it is folded."""
        asked = {}
        for key, at_ms in earliest_ms.items():
            known = self._remembered[key[0]].fresh.get(key[1])
            if known is None or not at_ms - SPAN_MS < known.began_ms < at_ms:
                asked[key] = at_ms
        searched = {key: at_ms for key, at_ms in asked.items() if at_ms > WALL_MS_MIN}
        found = await projections.fresh_before(self._connection, searched) if searched else {}
        for key in asked:
            self._remembered[key[0]].fresh[key[1]] = found.get(key)

    async def _learn_named(self, earliest_ms: Mapping[CenterKey, int]) -> None:
        """Read what acts name, wherever it is; a subject of which a new event is named is folded from its first fact.

        The event may have come after the act, and what the act says of it may lie before everything else.
        """
        named: set[CenterKey] = set()
        for center_id, subject_id in earliest_ms:
            remembered = self._remembered[center_id]
            for fact in remembered.intake.facts(subject_id):
                if fact.event.kind in ACTS:
                    named |= {(center_id, event_id) for event_id in fact.event.supersedes}
        unknown = sorted(
            (center_id, event_id)
            for center_id, event_id in named
            if not self._remembered[center_id].intake.holds(event_id)
            and event_id not in self._remembered[center_id].asked
        )
        if unknown:
            await self._learn({}, unknown)
            for center_id, event_id in unknown:
                self._remembered[center_id].asked.add(event_id)

    async def _learn(self, wanted: Mapping[CenterKey, int], events: Sequence[CenterKey]) -> None:
        if not wanted and not events:
            return
        for center_id, stored in (await attendance.facts_around(self._connection, wanted, events)).items():
            self._remembered[center_id].intake.learn(known_children=(), stored=stored)
        for (center_id, subject_id), since_ms in wanted.items():
            self._remembered[center_id].since_ms[subject_id] = since_ms

    def _continued(self, key: CenterKey) -> SubjectRows | None:
        """Fold from the chosen arrival on; None when the whole has to be folded."""
        remembered = self._remembered[key[0]]
        fresh = remembered.fresh.get(key[1])
        has_all = remembered.since_ms.get(key[1], WALL_MS_MAX) <= WALL_MS_MIN
        try:
            if fresh is not None and not self._is_named_again(remembered, key[1]):
                return self._folded(key, fresh)
        except LookupError:
            return None  # the arrival no longer counts
        return self._folded(key, None) if fresh is None and has_all else None

    async def _from_scratch(self, key: CenterKey) -> SubjectRows:
        remembered = self._remembered[key[0]]
        remembered.fresh[key[1]] = None
        await self._learn({key: WALL_MS_MIN}, ())
        for fact in remembered.intake.facts(key[1]):
            remembered.asked.difference_update(fact.event.supersedes)
        return self._folded(key, None)

    def _leave_out_what_stands(self, rows: SubjectRows) -> None:
        """Write no stay again that was written here as it is: an arrival would each time write the stay before it."""
        stays = self._remembered[rows.center_id].stays
        stood = stays.get(rows.subject_id, {})
        stays[rows.subject_id] = {stay.ordinal: stay for stay in rows.stays}
        rows.stays = [stay for stay in rows.stays if stood.get(stay.ordinal) != stay]

    def _may_have_reviews(self, rows: SubjectRows) -> bool:
        """Whether there are reviews to write or to take away; remembers of whom there are none."""
        clean = self._remembered[rows.center_id].clean
        if rows.reviews:
            clean.pop(rows.subject_id, None)
            return True
        had_none_since = clean.get(rows.subject_id)
        clean[rows.subject_id] = rows.first
        return had_none_since is None or had_none_since > rows.first

    def _is_named_again(self, remembered: Remembered, subject_id: str) -> bool:
        """Whether an act names an event that was looked for in vain, and that has come since."""
        acts = (fact.event for fact in remembered.intake.facts(subject_id) if fact.event.kind in ACTS)
        return any(
            event_id in remembered.asked and remembered.intake.holds(event_id)
            for event in acts
            for event_id in event.supersedes
        )

    def _folded(self, key: CenterKey, fresh: Fresh | None) -> SubjectRows:
        intake = self._remembered[key[0]].intake
        facts = intake.facts(key[1])
        spans = fold_spans(facts, intake.circumstances(key[1]), first=fresh.stay_id if fresh else "")
        return rows_of(key, facts, spans, intake.received_at_ms, fresh)


def _reaches_ms(event: AttendanceEvent) -> int:
    """The earliest moment (UTC milliseconds) that the event may change anything of."""
    at_ms = corrected_at_ms(event)
    if event.kind in ACTS:
        return WALL_MS_MIN
    return at_ms if WALL_MS_MIN <= at_ms <= WALL_MS_MAX else WALL_MS_MAX
