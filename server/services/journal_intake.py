"""Takes pushes in: those that arrive together are stored together, and none waits for longer than it must.

A lane stores one group after the other; while it does, the next group collects. A lone push is a group at once. No two
lanes hold a centre at a time. A centre that somebody else holds (an import, another server) is waited for beside the
lanes, so that nobody else's pushes wait with it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from server.core.asking import THE_SERVER, asking_now, asks
from server.core.clock import Clock
from server.core.database import sqlstate_of
from server.core.errors import DatabaseUnavailable, Unavailable
from server.core.failures import facts_of
from server.repositories.unit_of_work import UnitsOfWork
from server.services.intake_facts import Tell
from server.services.intake_group import Group, Patience
from server.services.intake_memory import IntakeMemory
from server.services.pushes import Answer, DeviceKey, Push
from sync.errors import BrokenChain, CloseCode
from sync.events import BatchRefused, BatchStored
from sync.journal import Entry, EntryOutcome, Outcome, ParkReason, check_run
from sync.limits import SLOW_DOWN_MAX_MS

__all__ = ["DeviceKey", "JournalIntake"]

# SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded.
_BLAMES_DATA: Final = frozenset({"22", "23", "54"})
# What happens between transactions and not to a database: deadlock, serialization failure, lock not available.
_BLAMES_COMPANY: Final = frozenset({"40P01", "40001", "55P03"})
# Two keep the processor busy while the database works; more would only make smaller groups.
LANES: Final = 2
# Centres that are waited for at the same time, each with a connection of its own.
PATIENT_MAX: Final = 4
GROUP_PUSHES_MAX: Final = 256
# About 100 ms of work. A single push may be larger and is a group of its own.
GROUP_ENTRIES_MAX: Final = 1_000
# Ten thousand desks with one entry each.
WAITING_MAX: Final = 10_000
# Half of what a device waits for an acknowledgement.
ANSWER_DEADLINE_S: Final = 15.0
# A push that waits for longer than this says that more come than are stored.
KEEPING_UP_MS: Final = 1_000

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A push that waits, and whoever waits for its answer."""

    push: Push
    since_ms: int
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def center_id(self) -> str:
        """Whose log it goes to."""
        return self.push.device.center_id

    def settle(self, outcome: Answer | Exception) -> None:
        """Hand the answer over, unless nobody waits for it any more."""
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class JournalIntake:
    """Takes runs of journal entries from devices into the books of their centres."""

    def __init__(self, units: UnitsOfWork, clock: Clock, tell: Tell | None = None) -> None:
        """Store through `units`; `clock` says when entries were received, and `tell` hears of critical findings."""
        self._tell = tell
        self._units = units
        self._clock = clock
        self._memory = IntakeMemory()
        self._waiting: list[_Waiting] = []
        self._held: set[str] = set()
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes = 0
        self._patient = asyncio.Semaphore(PATIENT_MAX)

    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> Answer:
        """Store a pushed run; what was stored before is answered with its first outcome.

        The run may share its transaction with those of other devices. When it cannot be stored as it is, its entries
        are stored one by one, so that one that the database will not take is parked and its neighbours are not. A
        caller that goes away takes nothing back.

        Raises:
            DatabaseUnavailable: nothing is known to be stored; the device sends it again.

        """
        if len(self._waiting) >= WAITING_MAX:
            raise DatabaseUnavailable("more pushes wait than can be stored")
        started_ms = self._clock.monotonic_ms()
        waiting = _Waiting(Push(device, tuple(entries), entries[-1], asking=asking_now()), started_ms)
        self._waiting.append(waiting)
        self._wake()
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                answer = await waiting.answer
        except TimeoutError:
            raise DatabaseUnavailable("the push was not stored in time") from None
        _log_answer(waiting.push, answer, self._clock.monotonic_ms() - started_ms)
        return answer

    def slow_down_ms(self) -> int:
        """How long a device should wait with its next push: as long as the oldest push waits; 0 when none waits long.

        A centre that somebody holds says nothing of the store.
        """
        oldest = next((waiting for waiting in self._waiting if waiting.center_id not in self._busy), None)
        age_ms = 0 if oldest is None else self._clock.monotonic_ms() - oldest.since_ms
        return min(age_ms, SLOW_DOWN_MAX_MS) if age_ms > KEEPING_UP_MS else 0

    def _wake(self) -> None:
        if self._lanes < LANES:
            self._lanes += 1
            self._start(self._run_lane())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        # What runs stores pushes of many, and not for whoever came first.
        with asks(THE_SERVER):
            task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self) -> None:
        try:
            while group := self._take():
                await self._hold(group, Patience.NONE)
        finally:
            self._lanes -= 1

    def _take(self) -> list[_Waiting]:
        """The next group: pushes of centres that nobody holds here, one of each device.

        The centre whose push waits longest comes first, with all that wait for it: the fewer centres a group holds,
        the more are left for the other lanes.
        """
        waiting = [one for one in self._waiting if not one.answer.done()]
        rank = {one.center_id: number for number, one in reversed(list(enumerate(waiting)))}
        group: list[_Waiting] = []
        devices: set[str] = set()
        entries = 0
        for one in sorted(waiting, key=lambda one: rank[one.center_id]):
            size = len(one.push.entries)
            fits = not group or (len(group) < GROUP_PUSHES_MAX and entries + size <= GROUP_ENTRIES_MAX)
            if fits and one.center_id not in self._held and one.push.device.device_id not in devices:
                group.append(one)
                devices.add(one.push.device.device_id)
                entries += size
        taken = set(group)
        self._waiting = [one for one in waiting if one not in taken]
        return group

    async def _hold(self, group: Sequence[_Waiting], patience: Patience) -> None:
        """Store a group while no other lane takes its centres; those that are busy are waited for beside the lanes."""
        centers = {waiting.center_id for waiting in group}
        self._held |= centers
        try:
            busy = await self._store(group, patience)
        except BaseException:
            for waiting in group:
                waiting.settle(DatabaseUnavailable("the push was given up"))
            raise
        finally:
            self._held -= centers
        for center_id in sorted({waiting.center_id for waiting in busy}):
            self._busy.add(center_id)
            self._held.add(center_id)
            self._start(self._wait_for(center_id, [one for one in busy if one.center_id == center_id]))
        if self._waiting:
            self._wake()

    async def _wait_for(self, center_id: str, group: Sequence[_Waiting]) -> None:
        try:
            async with self._patient:
                await self._hold(group, Patience.ALL)
        finally:
            self._busy.discard(center_id)

    async def _store(self, group: Sequence[_Waiting], patience: Patience) -> list[_Waiting]:
        """Store and answer; gives those whose device or centre is busy, which are not answered."""
        try:
            answers = await self._commit([waiting.push for waiting in group], patience)
        except Exception as error:  # noqa: BLE001 - whatever it is, each push of the group gets an answer
            return await self._part(group, patience, error)
        busy = []
        for waiting, answer in zip(group, answers, strict=True):
            if answer is None:
                busy.append(waiting)
            else:
                waiting.settle(answer)
        return busy

    async def _part(self, group: Sequence[_Waiting], patience: Patience, error: Exception) -> list[_Waiting]:
        """Store one by one what failed together; a push that failed alone is stored entry by entry.

        What failed for the company it was in is as good as busy, and waits by itself.
        """
        if patience is Patience.NONE and sqlstate_of(error) in _BLAMES_COMPANY:
            return list(group)
        if not _may_be_the_entry(error):
            for waiting in group:
                waiting.settle(error)
            return []
        if len(group) == 1:
            await self._store_by_entry(group[0], error)
            return []
        _log.error("group_failed", pushes=len(group), **facts_of(error))
        busy: list[_Waiting] = []
        for waiting in group:
            if not waiting.answer.done():
                busy += await self._store([waiting], patience)
        return busy

    async def _store_by_entry(self, waiting: _Waiting, error: Exception) -> None:
        push = waiting.push
        _log.error("batch_failed", device=push.device.device_id, entries=len(push.entries), **facts_of(error))
        try:
            waiting.settle(await self._store_singly(push))
        except Exception as failure:  # noqa: BLE001 - raised where the push is waited for
            waiting.settle(failure)

    async def _store_singly(self, push: Push) -> Answer:
        try:
            check_run(push.entries)
        except BrokenChain as error:
            return BatchRefused(CloseCode.JOURNAL_INVALID, str(error))
        outcomes: list[EntryOutcome] = []
        for entry in push.entries:
            answer = await self._store_one(replace(push, entries=(entry,)))
            if isinstance(answer, BatchRefused) or not answer.outcomes:
                return answer
            outcomes += answer.outcomes
        last = push.entries[-1]
        return BatchStored(through_seq=last.seq, hash=last.hash, outcomes=tuple(outcomes))

    async def _store_one(self, push: Push) -> Answer:
        try:
            return await self._commit_one(push)
        except Exception as error:
            if not _may_be_the_entry(error):
                raise
            _log.error("entry_parked", device=push.device.device_id, seq=push.entries[0].seq, **facts_of(error))
            return await self._commit_one(replace(push, park=ParkReason.UNREADABLE))

    async def _commit_one(self, push: Push) -> Answer:
        (answer,) = await self._commit([push], Patience.ALL)
        if answer is None:
            raise AssertionError("a push that waits for its locks is answered")
        return answer

    async def _commit(self, pushes: Sequence[Push], patience: Patience) -> list[Answer | None]:
        async with self._units.begin(origin="device") as unit:
            group = Group(unit, self._memory, pushes, self._tell, received_at_ms=self._clock.wall_ms())
            answers = await group.store(patience)
        group.remember()
        return answers


def _may_be_the_entry(error: Exception) -> bool:
    """Whether an entry can be to blame: not when the database is away, or lacks a table or a right."""
    state = sqlstate_of(error)
    if isinstance(error, Unavailable):
        return False
    return state is None or state[:2] in _BLAMES_DATA


def _log_answer(push: Push, answer: Answer, took_ms: int) -> None:
    device, entries = push.device.device_id, len(push.entries)
    if isinstance(answer, BatchRefused):
        first_seq = push.entries[0].seq
        _log.warning("batch_refused", device=device, code=answer.code.name, first_seq=first_seq, entries=entries)
        return
    parked = sum(outcome.outcome is Outcome.PARKED for outcome in answer.outcomes)
    _log.info("batch_stored", device=device, entries=entries, parked=parked, took_ms=took_ms)
