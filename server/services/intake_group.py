"""One transaction that stores pushes of many devices: what it locks and reads, what it decides, what it writes.

The number of statements does not depend on the number of pushes. Locks: devices, then heads of centres, each in order
(see `server.repositories.unit_of_work`); under the lock on a head nobody else touches a journal of that centre.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

from server.core.clock import datetime_of
from server.repositories import attendance, incidents, journal_writes
from server.repositories.attendance import CenterKey, NewFact
from server.repositories.evidence_gaps import close_journal_gap
from server.repositories.journal_writes import DeviceRow, JournalEnd, JournalKey
from server.repositories.unit_of_work import UnitOfWork
from server.services.intake_case import Case
from server.services.intake_memory import IntakeMemory, Remembered
from server.services.pushes import Answer, Push
from sync.attendance import corrected_at_ms
from sync.change_log import Head
from sync.errors import CloseCode
from sync.events import BatchRefused
from sync.intake import Intake
from sync.limits import REPLICA_DAYS, WALL_MS_MAX, WALL_MS_MIN

# At about 50 us for each entry and 100 us for each signature; more would hold up everybody's heartbeats.
DECIDED_AT_ONCE_MAX: Final = 16
DAY_MS: Final = 24 * 3_600_000
UNKNOWN_DEVICE: Final = BatchRefused(CloseCode.REVOKED, "this device is not known here")


class Patience(Enum):
    """Whether a device or a centre that somebody else holds is waited for, or its pushes are left for later."""

    NONE = "take what is free"
    ALL = "wait for each"


class Group:
    """Pushes that are stored in one transaction; no two of them are of one device."""

    def __init__(self, unit: UnitOfWork, memory: IntakeMemory, pushes: Sequence[Push], *, received_at_ms: int) -> None:
        """Store within `unit`; `received_at_ms` is when the server got them (UTC milliseconds)."""
        self._unit = unit
        self._connection = unit.connection
        self._memory = memory
        self._pushes = pushes
        self._received_at_ms = received_at_ms
        self._remembered: dict[str, Remembered] = {}

    async def store(self, patience: Patience) -> list[Answer | None]:
        """Answer each push; None for one whose device or centre is held by somebody else."""
        devices = await self._devices(patience)
        heads = await self._heads(patience, {push.device.center_id for push in self._pushes if _is_in(devices, push)})
        ours = [push for push in self._pushes if _is_in(devices, push) and push.device.center_id in heads]
        cases = await self._open(ours, devices)
        await self._in_thread(lambda: _judge(cases, self._received_at_ms))
        deciding = [case for case in cases if case.fresh]
        if deciding:
            intakes = await self._intakes(deciding)
            await self._in_thread(lambda: _decide(deciding, intakes, self._received_at_ms))
        await self._write(cases)
        answers: dict[str, Answer] = {case.push.device.device_id: case.answer for case in cases}
        if patience is Patience.ALL:
            return [answers.get(push.device.device_id, UNKNOWN_DEVICE) for push in self._pushes]
        return [answers.get(push.device.device_id) for push in self._pushes]

    def remember(self) -> None:
        """Keep what is known of the centres; call it after the unit has committed."""
        for center_id, remembered in self._remembered.items():
            self._memory.keep(center_id, self._unit.head_of(center_id), remembered)

    async def _devices(self, patience: Patience) -> dict[str, DeviceRow]:
        lock = journal_writes.lock_free_devices if patience is Patience.NONE else journal_writes.lock_devices
        return await lock(self._connection, [push.device.device_id for push in self._pushes])

    async def _heads(self, patience: Patience, center_ids: set[str]) -> dict[str, Head]:
        if patience is Patience.NONE:
            return await self._unit.lock_free_heads(center_ids)
        return await self._unit.lock_heads(center_ids)

    async def _open(self, pushes: Sequence[Push], devices: Mapping[str, DeviceRow]) -> list[Case]:
        """Read where the journals stand, and what is stored of the entries that come again."""
        keys = [JournalKey(push.device.center_id, push.device.device_id, push.incarnation) for push in pushes]
        ends = await journal_writes.journal_ends(self._connection, keys)
        for key, end in ends.items():
            if end.evidence_seq < end.head.seq:
                ends[key] = await close_journal_gap(self._connection, key, end)
        spans = [(key, _repeated(push, ends[key])) for key, push in zip(keys, pushes, strict=True)]
        known = await journal_writes.stored_entries(self._connection, spans)
        return [
            Case(push, devices[push.device.device_id], ends[key], known.get(key, {}))
            for key, push in zip(keys, pushes, strict=True)
        ]

    async def _intakes(self, cases: Sequence[Case]) -> dict[str, Intake]:
        """Load what the decisions depend on and is not known, in two queries however many entries there are."""
        for case in cases:
            center_id = case.push.device.center_id
            if center_id not in self._remembered:
                head = self._unit.head_of(center_id)
                known = self._memory.take(center_id, head)
                self._remembered[center_id] = known or Remembered(_intake(center_id, case.device.time_zone, head))
        await self._learn_children(cases)
        await self._learn_facts(cases)
        return {center_id: remembered.intake for center_id, remembered in self._remembered.items()}

    async def _learn_children(self, cases: Sequence[Case]) -> None:
        named = {
            (case.push.device.center_id, event.child_subject_id)
            for case in cases
            for event in case.events
            if event.child_subject_id
        }
        unknown = [key for key in named if key[1] not in self._remembered[key[0]].children]
        for center_id, children in (await attendance.known_children(self._connection, sorted(unknown))).items():
            self._remembered[center_id].children |= children
            self._remembered[center_id].intake.learn(known_children=children, stored=())

    async def _learn_facts(self, cases: Sequence[Case]) -> None:
        wanted = {
            (center_id, subject_id): since_ms
            for (center_id, subject_id), since_ms in self._subjects_since_ms(cases).items()
            if since_ms < self._remembered[center_id].since_ms.get(subject_id, since_ms + 1)
        }
        events = {(case.push.device.center_id, event.event_id) for case in cases for event in case.events}
        for center_id, stored in (await attendance.facts_around(self._connection, wanted, sorted(events))).items():
            self._remembered[center_id].intake.learn(known_children=(), stored=stored)
        for (center_id, subject_id), since_ms in wanted.items():
            self._remembered[center_id].since_ms[subject_id] = since_ms

    def _subjects_since_ms(self, cases: Sequence[Case]) -> dict[CenterKey, int]:
        """From when on the facts of each subject matter: as far back as a fold looks from its earliest possible event.

        Children who are not on file, and were not taken in under a name, have no facts: what is said of them is parked.
        """
        since_ms: dict[CenterKey, int] = {}
        for case in cases:
            center_id = case.push.device.center_id
            for event in case.events:
                child_id = event.child_subject_id
                if child_id and not event.provisional_name and child_id not in self._remembered[center_id].children:
                    continue
                at_ms = corrected_at_ms(event)
                earliest_ms = at_ms if WALL_MS_MIN <= at_ms <= WALL_MS_MAX else WALL_MS_MAX
                key = (center_id, event.subject_id)
                since_ms[key] = min(since_ms.get(key, WALL_MS_MAX), earliest_ms - REPLICA_DAYS * DAY_MS)
        return since_ms

    async def _write(self, cases: Sequence[Case]) -> None:
        received_at = datetime_of(self._received_at_ms)
        lines = [line for case in cases for line in case.lines]
        told = [incident for case in cases for incident in case.incidents]
        if told:
            await incidents.append(self._connection, told, received_at)
        if not lines:
            return
        await journal_writes.append_entries(self._connection, lines, received_at)
        made = [
            NewFact(case.push.device.center_id, decision)
            for case in cases
            for decision in case.decisions
            if decision.fact is not None
        ]
        if made:
            await attendance.append_facts(self._connection, made)
        for case in cases:
            drafts = [decision.draft for decision in case.decisions if decision.draft is not None]
            if drafts:
                self._unit.append(case.push.device.center_id, drafts, actor=case.push.device.device_id)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        """Compute here, or in a thread when it is much."""
        if sum(len(push.entries) for push in self._pushes) <= DECIDED_AT_ONCE_MAX:
            work()
        else:
            await asyncio.to_thread(work)


def _intake(center_id: str, time_zone: str, head: Head) -> Intake:
    return Intake(center_id=center_id, time_zone=time_zone, head_version=head.version, known_children=(), stored=())


def _judge(cases: Sequence[Case], received_at_ms: int) -> None:
    for case in cases:
        case.judge(received_at_ms)


def _decide(cases: Sequence[Case], intakes: Mapping[str, Intake], received_at_ms: int) -> None:
    for case in cases:
        case.decide(intakes[case.push.device.center_id], received_at_ms)


def _is_in(devices: Mapping[str, DeviceRow], push: Push) -> bool:
    found = devices.get(push.device.device_id)
    return found is not None and found.center_id == push.device.center_id


def _repeated(push: Push, end: JournalEnd) -> range:
    return range(push.entries[0].seq, min(push.entries[-1].seq, end.head.seq) + 1)
