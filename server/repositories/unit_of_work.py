"""One transaction, and the change-log append that no synced write can forget; the only commit is here.

Locks are taken in one order everywhere: rows of `device` first, in order of id, then heads of centres, in order of id.
Whoever wants both takes the device first; whoever wants several of a kind takes them by one call. A write to a synced
table takes the head of its centre by itself (a trigger notes it there), so a unit locks heads before it flushes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from server.core.asking import CHANGED, READ, Act, Acts, Asking, Reach, asking_now, within
from server.core.clock import Clock
from server.core.database import database_errors
from server.core.ids import Luck
from server.repositories import audit_writes, log_writes
from server.repositories.audit_writes import Noted
from server.repositories.evidence_gaps import close_log_gap
from server.repositories.held_commit import held_now, opened, settle_held
from server.repositories.log_rows import Pending, append_of, without_repeats
from server.repositories.log_writes import Append, LockedHead, Stamp, Standing
from server.repositories.touched_rows import TouchedRows
from sync.change_log import SALT_BYTES, ChangeDraft, Head, Operation, genesis
from sync.records import REFERENCE_BUCKET, Entity, encode_record

RETRIES_OF_NEW_HEAD: Final = 2
# More rows than this are numbered in a thread: at 15 us each they would hold up everybody's heartbeats.
ROWS_AT_ONCE_MAX: Final = 64

Connection: TypeAlias = AsyncConnection
"""What the functions of the repositories work on; services hand it through and know no more of it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a unit takes time, luck and fresh ids from."""

    clock: Clock
    luck: Luck
    new_id: Callable[[], str]


class UnitOfWork:
    """One transaction. What devices hold is written only through `put`, `remove` and `append`.

    At the end the drafts get the next versions of the logs of their centres, under the locks on the heads, so that
    commit order is version order. A synced table that is written for a centre of which nothing is said here makes the
    commit fail; a record that is put as it stood is enough.

    What a request changes is in the audit log when it commits, without a word of the use-case: who asked, by which
    route, and which rows. What was read of a child is said by `note_read`.
    """

    def __init__(
        self, connection: AsyncConnection, sources: Sources, *, actor: str, origin: str, asking: Asking
    ) -> None:
        """Work on a transaction that has begun; made by `UnitsOfWork.begin`."""
        self.connection: Final = connection
        self._sources = sources
        self._actor = actor
        self._origin = origin
        self._asking = asking
        self._touched = TouchedRows()
        self._acts = Acts()
        self._told_by: dict[Asking, Acts] = {}
        self._session: AsyncSession | None = None
        self._heads: dict[str, LockedHead] = {}
        self._asked: set[str] = set()
        self._drafts: dict[str, list[Pending]] = {}
        self._new: dict[str, list[Pending]] = {}
        self._after_commit: list[Callable[[], None]] = []
        self._once_logged: list[Callable[[AsyncConnection], Awaitable[None]]] = []

    @property
    def session(self) -> AsyncSession:
        """The objects of this transaction."""
        if self._session is None:
            self._session = AsyncSession(self.connection, expire_on_commit=False)
            self._touched.follow(self._session)
        return self._session

    async def lock_head(self, center_id: str) -> Head:
        """Hold the centre's head until the end of the transaction; a centre without a log gets an empty one.

        Call it before reading what a decision depends on: nobody changes synced data of the centre meanwhile.

        Raises:
            AssertionError: a head behind it is held already; lock those of several centres by one call.

        """
        return (await self.lock_heads((center_id,)))[center_id]

    async def lock_heads(self, center_ids: Iterable[str]) -> dict[str, Head]:
        """Hold the heads of several centres, taken in order; as `lock_head`."""
        wanted = set(center_ids)
        missing = sorted(wanted - self._heads.keys())
        if missing and self._heads and missing[0] < max(self._heads):
            raise AssertionError("heads are locked in order of centre: lock those of all centres by one call")
        if missing:
            await self._lock(missing)
        return {center_id: self._heads[center_id].head for center_id in wanted}

    async def lock_free_heads(self, center_ids: Iterable[str]) -> dict[str, Head]:
        """Hold those heads that are there and that nobody else holds, without waiting; the others are left out."""
        if self._heads:
            raise AssertionError("heads are held already: free ones are taken first, by one call")
        await self._keep(await log_writes.lock_free_heads(self.connection, center_ids))
        return {center_id: locked.head for center_id, locked in self._heads.items()}

    def head_of(self, center_id: str) -> Head:
        """Where the log of a centre ends whose head is held; after `write`, with what this unit appended."""
        return self._heads[center_id].head

    def put(
        self,
        center_id: str,
        entity: Entity,
        entity_id: str,
        record: msgspec.Struct,
        *,
        bucket: str = REFERENCE_BUCKET,
    ) -> None:
        """Say how a record stands from now on; a record that did not change gets no version."""
        self._draft(center_id, (bucket, entity, entity_id), Operation.PUT, encode_record(record))

    def remove(self, center_id: str, entity: Entity, entity_id: str, *, bucket: str = REFERENCE_BUCKET) -> None:
        """Take a record away from the devices; one that is not there gets no version."""
        self._draft(center_id, (bucket, entity, entity_id), Operation.REMOVE, b"")

    def end_unit(self) -> None:
        """Let devices take what came so far as one whole, before what follows.

        A whole must fit one page (500 changes, 248 KiB); without a call the transaction is one whole.
        """
        for drafts in self._drafts.values():
            last = drafts[-1]
            drafts[-1] = Pending(msgspec.structs.replace(last.draft, ends_unit=True), last.actor)

    def append(self, center_id: str, drafts: Sequence[ChangeDraft], *, actor: str = "") -> None:
        """Log records that are known to be new, before all others: their versions follow the locked head.

        `actor` is who made them, when it is not who the unit was begun for.
        """
        self._asked.add(center_id)
        self._new.setdefault(center_id, []).extend(Pending(draft, actor or self._actor) for draft in drafts)

    async def reach_also(self, *ids: str) -> None:
        """See the rows of a centre or organisation too, until this transaction ends: what was shown proves the right.

        For doors at which nobody is known: whoever holds a good enrolment code, or the link of an invitation.
        """
        reach = self._asking.reach
        await _set_reach(self.connection, reach if reach.is_everywhere else within({*reach.ids, *ids}))

    def note_read(self, center_id: str, reader: str, child_id: str, part: str) -> None:
        """Note in the audit log that somebody read a part of a child's file."""
        self._acts.actor = reader
        self._acts.add(center_id, Act(READ, "child", child_id, part))

    def note_change(self, center_id: str, asking: Asking, entity: str, entity_id: str) -> None:
        """Note in the audit log what somebody changed in another task than this one, or that is in no table."""
        self.note(center_id, asking, Act(CHANGED, entity, entity_id))

    def note(self, chain_id: str, asking: Asking, act: Act) -> None:
        """Note in the audit log of a centre or organisation what somebody did; nothing when nobody is known."""
        if not asking.actor:
            return
        if asking.actor == self._asking.actor:
            self._acts.actor = asking.actor
            self._acts.add(chain_id, act)
        else:
            self._told_by.setdefault(asking, Acts(asking.actor)).add(chain_id, act)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this when the transaction is committed, and never when it is not; `call` must not raise or wait."""
        self._after_commit.append(call)

    def once_logged(self, call: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Call this when the log has what this transaction appends, and before it is committed."""
        self._once_logged.append(call)

    async def write(self) -> None:
        """Write what is pending to tables and logs; called by `UnitsOfWork.begin`.

        Raises:
            ValueError: what was put as one whole does not fit one page.

        """
        await self.lock_heads(self._asked)
        if self._session is not None:
            await self._session.flush()
        if self._asked:
            await self._append()
        for work in self._once_logged:
            await work(self.connection)
        await self._note_acts()

    async def conclude(self) -> None:
        """Commit what `write` wrote; called by whoever began the transaction or holds it back."""
        await self.connection.commit()
        for call in self._after_commit:
            call()

    async def _note_acts(self) -> None:
        """Write down who did and read what; the heads of the audit log are locked last, and only until the commit."""
        if self._asking.changes and self._asking.actor:
            self._acts.actor = self._asking.actor
            await self._gather_changes()
        told_by = [(self._asking, self._acts), *self._told_by.items()]
        chains = sorted({chain_id for _, acts in told_by for chain_id in acts.by_chain})
        for chain_id in chains:
            for asking, acts in told_by:
                if told := acts.told(chain_id):
                    noted = Noted(acts.actor, self._sources.clock.now(), asking.route, asking.request_id)
                    await audit_writes.append(self.connection, chain_id, told, noted)

    async def _gather_changes(self) -> None:
        """Tell the rows that were written; what the address names, when a statement wrote them past the session."""
        here, elsewhere = self._asking.center_id, self._asking.organisation_id
        for center_id, entity, entity_id in (*self._touched.rows, *self._records()):
            # A command of the operator may write what belongs to no centre and no organisation: an account that is new.
            if chain_id := center_id or here or elsewhere:
                self._acts.add(chain_id, Act(CHANGED, entity, entity_id))
        if self._origin and not self._acts.by_chain and await audit_writes.has_written(self.connection):
            act = Act(CHANGED, self._asking.entity, self._asking.entity_id)
            if here or elsewhere:
                self._acts.add(here or elsewhere, act)

    def _records(self) -> list[tuple[str, str, str]]:
        """The records that devices are told of, as centre, entity and id."""
        told = {**self._drafts, **self._new}
        return [(center, one.draft.entity, one.draft.entity_id) for center, drafts in told.items() for one in drafts]

    async def close(self) -> None:
        """Let go of the objects; called by `UnitsOfWork.begin`."""
        if self._session is not None:
            await self._session.close()

    async def _append(self) -> None:
        standing = await self._standing()
        pending: dict[str, list[Pending]] = {}
        for center_id in sorted(self._asked):
            changed = without_repeats(self._drafts.get(center_id, ()), standing.get(center_id, {}))
            pending[center_id] = [*self._new.get(center_id, ()), *changed]
        stamp = Stamp(at=self._sources.clock.now(), origin=self._origin)
        rows = sum(map(len, pending.values()))
        luck = memoryview(self._sources.luck(SALT_BYTES * rows))

        def numbered() -> list[Append]:
            appends, at = [], 0
            for center_id, ours in pending.items():
                end = at + SALT_BYTES * len(ours)
                appends.append(
                    append_of(
                        center_id,
                        self._heads[center_id],
                        ours,
                        luck=bytes(luck[at:end]),
                        stamp=stamp,
                        standing=standing.get(center_id, {}),
                    )
                )
                at = end
            return appends

        appends = numbered() if rows <= ROWS_AT_ONCE_MAX else await asyncio.to_thread(numbered)
        await log_writes.store(self.connection, appends, stamp)
        for append in appends:
            self._heads[append.center_id] = LockedHead(append.head, append.evidence, append.head.version)

    async def _standing(self) -> dict[str, dict[tuple[str, str], Standing]]:
        """How the records that drafts are about stand now, by centre, entity and id."""
        keys = {
            (center_id, one.draft.entity, one.draft.entity_id)
            for center_id, drafts in self._drafts.items()
            for one in drafts
        }
        found: dict[str, dict[tuple[str, str], Standing]] = {}
        if not keys:
            return found
        for (center_id, *key), record in (await log_writes.standing_records(self.connection, sorted(keys))).items():
            found.setdefault(center_id, {})[key[0], key[1]] = record
        return found

    async def _lock(self, center_ids: Sequence[str]) -> None:
        missing: Sequence[str] = center_ids
        for _ in range(RETRIES_OF_NEW_HEAD):
            await self._keep(await log_writes.lock_heads(self.connection, missing))
            missing = [center_id for center_id in center_ids if center_id not in self._heads]
            if not missing:
                return
            heads = {center_id: genesis(center_id, self._sources.new_id()) for center_id in missing}
            await log_writes.begin_logs(self.connection, heads, self._sources.clock.now())
        raise AssertionError("a head that was just made is not there")

    async def _keep(self, locked: dict[str, LockedHead]) -> None:
        for center_id, head in locked.items():
            is_behind = head.evidence_version < head.head.version
            self._heads[center_id] = await close_log_gap(self.connection, center_id, head) if is_behind else head

    def _draft(self, center_id: str, key: tuple[str, str, str], operation: Operation, body: bytes) -> None:
        bucket, entity, entity_id = key
        draft = ChangeDraft(
            bucket=bucket,
            entity=entity,
            entity_id=entity_id,
            operation=operation,
            body=body,
            ends_unit=False,
        )
        self._asked.add(center_id)
        self._drafts.setdefault(center_id, []).append(Pending(draft, self._actor))


class UnitsOfWork:
    """Begins transactions on one engine: `async with units.begin() as unit:`."""

    def __init__(self, engine: AsyncEngine, *, clock: Clock, luck: Luck, new_id: Callable[[], str]) -> None:
        """Only remember; `new_id` names the epoch of a new log (a UUID), `luck` gives unpredictable bytes."""
        self._engine = engine
        self._sources = Sources(clock, luck, new_id)

    @asynccontextmanager
    async def begin(self, *, actor: str = "", origin: str = "") -> AsyncIterator[UnitOfWork]:
        """One transaction for reading and writing: committed at the end of the block, undone by an exception.

        `actor` is the id of who does it and `origin` where it came in (`device`, `api`, `import`, ...); both
        stay beside the rows of the log and never reach a device.

        Raises:
            DatabaseUnavailable: the database is away, full, read only or too slow.

        """
        await settle_held()
        with opened() as held:
            async with AsyncExitStack() as stack:
                unit = await self._open(stack, actor=actor, origin=origin)
                yield unit
                await unit.write()
                if held is None:
                    await unit.conclude()
                else:
                    held.keep(unit, stack.pop_all())

    @asynccontextmanager
    async def last(self) -> AsyncIterator[AsyncConnection]:
        """Give the transaction that this task holds back, or else a new one; committed at the end of the block.

        Raises:
            DatabaseUnavailable: as `begin`.

        """
        held = held_now()
        kept = held.give() if held is not None else None
        async with kept[1] if kept is not None else AsyncExitStack() as stack:
            unit = kept[0] if kept is not None else await self._open(stack, actor="", origin="")
            yield unit.connection
            await unit.conclude()

    async def _open(self, stack: AsyncExitStack, *, actor: str, origin: str) -> UnitOfWork:
        """Begin a transaction on a connection that `stack` gives back."""
        stack.enter_context(database_errors())
        connection = await stack.enter_async_context(self._engine.connect())
        await connection.begin()
        asking = asking_now()
        await _set_reach(connection, asking.reach)
        unit = UnitOfWork(connection, self._sources, actor=actor, origin=origin, asking=asking)
        stack.push_async_callback(unit.close)
        return unit

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One read-only transaction that sees the database as it stands when it begins.

        Raises:
            DatabaseUnavailable: as `begin`.

        """
        await settle_held()
        with database_errors():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    await _set_reach(connection, asking_now().reach)
                    yield connection


async def _set_reach(connection: AsyncConnection, reach: Reach) -> None:
    """Let the policies of the tables know, to the end of the transaction, whose rows may be seen and written."""
    await connection.execute(_SET_REACH, {"reach": reach.setting})


_SET_REACH: Final = text("SELECT set_config('rollcall.reach', :reach, true)")
