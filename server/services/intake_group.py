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
from server.repositories.attendance import NewFact
from server.repositories.evidence_gaps import close_journal_gap
from server.repositories.journal_writes import DeviceRow, JournalEnd, JournalKey
from server.repositories.unit_of_work import UnitOfWork
from server.services.intake_case import Case
from server.services.intake_facts import IntakeFacts, Tell
from server.services.intake_memory import IntakeMemory
from server.services.pushes import Answer, Push
from sync.change_log import Head
from sync.errors import CloseCode
from sync.events import BatchRefused
from sync.intake import Intake

# At about 50 us for each entry and 100 us for each signature; more would hold up everybody's heartbeats.
DECIDED_AT_ONCE_MAX: Final = 16
UNKNOWN_DEVICE: Final = BatchRefused(CloseCode.REVOKED, "this device is not known here")


class Patience(Enum):
    """Whether a device or a centre that somebody else holds is waited for, or its pushes are left for later."""

    NONE = "take what is free"
    ALL = "wait for each"


class Group:
    """Pushes that are stored in one transaction; no two of them are of one device."""

    def __init__(
        self,
        unit: UnitOfWork,
        memory: IntakeMemory,
        pushes: Sequence[Push],
        tell: Tell | None = None,
        *,
        received_at_ms: int,
    ) -> None:
        """Store within `unit`; `received_at_ms` is when the server got them (UTC milliseconds)."""
        self._unit = unit
        self._connection = unit.connection
        self._facts = IntakeFacts(unit, memory, tell)
        self._pushes = pushes
        self._received_at_ms = received_at_ms

    async def store(self, patience: Patience) -> list[Answer | None]:
        """Answer each push; None for one whose device or centre is held by somebody else."""
        devices = await self._devices(patience)
        heads = await self._heads(patience, {push.device.center_id for push in self._pushes if _is_in(devices, push)})
        ours = [push for push in self._pushes if _is_in(devices, push) and push.device.center_id in heads]
        cases = await self._open(ours, devices)
        await self._in_thread(lambda: _judge(cases, self._received_at_ms))
        deciding = [case for case in cases if case.fresh]
        if deciding:
            intakes = await self._facts.intakes(deciding)
            await self._in_thread(lambda: _decide(deciding, intakes, self._received_at_ms))
        await self._write(cases)
        answers: dict[str, Answer] = {case.push.device.device_id: case.answer for case in cases}
        if patience is Patience.ALL:
            return [answers.get(push.device.device_id, UNKNOWN_DEVICE) for push in self._pushes]
        return [answers.get(push.device.device_id) for push in self._pushes]

    def remember(self) -> None:
        """Keep what is known of the centres; call it after the unit has committed."""
        self._facts.remember()

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
            await self._facts.project(cases, self._in_thread)
        for case in cases:
            drafts = [decision.draft for decision in case.decisions if decision.draft is not None]
            if drafts:
                self._unit.append(case.push.device.center_id, drafts, actor=case.push.device.device_id)
                self._note(case)

    def _note(self, case: Case) -> None:
        """Tell the audit log of what somebody entered at the server itself."""
        push = case.push
        if push.asking.actor:
            for entry in push.entries:
                self._unit.note_change(push.device.center_id, push.asking, entry.kind, entry.event_id)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        """Compute here, or in a thread when it is much."""
        if sum(len(push.entries) for push in self._pushes) <= DECIDED_AT_ONCE_MAX:
            work()
        else:
            await asyncio.to_thread(work)


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
