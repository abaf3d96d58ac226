"""Takes in a whole day of desks in one transaction, each push with its own time of arrival.

The decisions, folds, chains and rows are those of `server.services.journal_intake`; what is left out is what a history
has no use for: other writers, repeats, and an answer to each push. Entries go in by one prepared statement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from server.core.clock import datetime_of
from server.repositories import attendance, journal_writes, sample_rows
from server.repositories.attendance import NewFact
from server.repositories.journal_writes import DeviceRow, JournalEnd, JournalKey
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.intake_case import Case
from server.services.intake_facts import IntakeFacts
from server.services.intake_memory import IntakeMemory
from server.services.pushes import DeviceKey, Push
from sync.evidence import GENESIS
from sync.intake import Intake
from sync.journal import Entry, JournalHead, Outcome


@dataclass(frozen=True, slots=True)
class Arrived:
    """Entries of one desk that reached the server together (UTC milliseconds), and where its journal ended before."""

    device: DeviceKey
    before: JournalHead
    entries: tuple[Entry, ...]
    received_ms: int


class DayIntake:
    """Stores what arrived, day after day; nobody else writes into these journals."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Store through `units`."""
        self._units = units
        self._memory = IntakeMemory()
        self._evidence: dict[JournalKey, bytes] = {}

    async def store(self, arrived: Sequence[Arrived]) -> int:
        """Store pushes in the order in which they arrived, and give how many entries they were.

        Raises:
            AssertionError: an entry was not taken; a sample has none of these.

        """
        ordered = sorted(arrived, key=lambda one: (one.received_ms, one.device.center_id, one.device.device_id))
        async with self._units.begin(origin="device") as unit:
            devices = await journal_writes.lock_devices(unit.connection, {one.device.device_id for one in ordered})
            await unit.lock_heads({one.device.center_id for one in ordered})
            cases = [_case(one, devices[one.device.device_id]) for one in ordered]
            facts = IntakeFacts(unit, self._memory)
            intakes = await facts.intakes(cases)
            for case, one in zip(cases, ordered, strict=True):
                self._decide(case, intakes[one.device.center_id], one.received_ms)
            await self._write(unit, cases, [one.received_ms for one in ordered])
            await facts.project(cases, _here)
        facts.remember()
        return sum(len(one.entries) for one in ordered)

    def _decide(self, case: Case, intake: Intake, received_ms: int) -> None:
        """Decide, and carry the journal's evidence on from the push before."""
        key = JournalKey(case.push.device.center_id, case.push.device.device_id, case.push.incarnation)
        case.end = JournalEnd(case.end.head, self._evidence.get(key, GENESIS), case.end.head.seq)
        case.decide(intake, received_ms)
        if len(case.lines) != len(case.push.entries) or any(
            made.outcome.outcome is Outcome.PARKED for made in case.decisions
        ):
            raise AssertionError(f"the sample wrote what the intake will not take: {case.answer}")
        self._evidence[key] = case.lines[-1].evidence

    async def _write(self, unit: UnitOfWork, cases: Sequence[Case], received_ms: Sequence[int]) -> None:
        lines = [
            (line, datetime_of(at_ms)) for case, at_ms in zip(cases, received_ms, strict=True) for line in case.lines
        ]
        await sample_rows.add_entries(unit.connection, lines)
        made = [NewFact(case.push.device.center_id, decision) for case in cases for decision in case.decisions]
        await attendance.append_facts(unit.connection, made)
        for case in cases:
            drafts = [decision.draft for decision in case.decisions if decision.draft is not None]
            unit.append(case.push.device.center_id, drafts, actor=case.push.device.device_id)


def _case(arrived: Arrived, device: DeviceRow) -> Case:
    push = Push(arrived.device, arrived.entries, arrived.entries[-1])
    case = Case(push, device, JournalEnd(arrived.before, GENESIS, arrived.before.seq), {})
    case.judge(arrived.received_ms)
    return case


async def _here(work: Callable[[], object]) -> None:
    work()
