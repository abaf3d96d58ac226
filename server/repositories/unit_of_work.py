"""One transaction, and the change-log append that no synced write can forget; the only commit is here."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from server.core.clock import Clock
from server.core.database import database_errors
from server.core.ids import Luck
from server.repositories import change_log
from sync.change_log import SALT_BYTES, ChangeDraft, Head, Operation, genesis, number
from sync.records import REFERENCE_BUCKET, Entity, encode_record

RETRIES_OF_NEW_HEAD: Final = 2

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

    At the end the drafts get the next versions of the centre's log, under the lock on its head, so that
    commit order is version order. One transaction writes to the log of one centre: two would wait for each
    other.
    """

    def __init__(
        self, session: AsyncSession, connection: AsyncConnection, sources: Sources, *, actor: str, origin: str
    ) -> None:
        """Work on a transaction that has begun; made by `UnitsOfWork.begin`."""
        self.session: Final = session
        self.connection: Final = connection
        self._sources = sources
        self._actor = actor
        self._origin = origin
        self._center_id: str | None = None
        self._head: Head | None = None
        self._drafts: list[ChangeDraft] = []
        self._new: list[ChangeDraft] = []

    async def lock_head(self, center_id: str) -> Head:
        """Hold the centre's head until the end of the transaction; a centre without a log gets an empty one.

        Call it before reading what a decision depends on: nobody changes synced data of the centre meanwhile.
        """
        self._belongs_to(center_id)
        if self._head is None:
            self._head = await self._locked(center_id)
        return self._head

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
        if self._drafts:
            self._drafts[-1] = msgspec.structs.replace(self._drafts[-1], ends_unit=True)

    def append(self, center_id: str, drafts: Sequence[ChangeDraft]) -> None:
        """Log records that are known to be new, before all others: their versions follow the locked head."""
        self._belongs_to(center_id)
        self._new.extend(drafts)

    async def finish(self) -> None:
        """Write what is pending to tables and log, and commit; called by `UnitsOfWork.begin`.

        Raises:
            ValueError: what was put as one whole does not fit one page.

        """
        await self.session.flush()
        if self._center_id is not None and (self._drafts or self._new):
            await self._write(self._center_id, await self.lock_head(self._center_id))
        await self.session.commit()

    async def _write(self, center_id: str, head: Head) -> None:
        drafts = [*self._new, *await self._changed(center_id)]
        if not drafts:
            return
        luck = self._sources.luck(SALT_BYTES * len(drafts))
        salts = (luck[at : at + SALT_BYTES] for at in range(0, len(luck), SALT_BYTES))
        new_head, rows = number(head, drafts, salts)
        stamp = change_log.Stamp(at=self._sources.clock.now(), actor=self._actor, origin=self._origin)
        await change_log.append(self.connection, center_id, rows, stamp)
        await change_log.store_head(self.connection, center_id, new_head)
        await change_log.notify(self.connection, center_id, new_head)

    async def _changed(self, center_id: str) -> list[ChangeDraft]:
        """The drafts that change something, in order; a dropped last one hands on the end of its unit."""
        if not self._drafts:
            return []
        keys = {(draft.entity, draft.entity_id) for draft in self._drafts}
        current = await change_log.current_states(self.connection, center_id, sorted(keys))
        changed: list[ChangeDraft] = []
        kept_in_unit = False
        for draft in self._drafts:
            key = (draft.entity, draft.entity_id)
            state = None if draft.operation is Operation.REMOVE else (draft.bucket, draft.body)
            if current.get(key) != state:
                current[key] = state
                changed.append(draft)
                kept_in_unit = True
            elif draft.ends_unit and kept_in_unit:
                changed[-1] = msgspec.structs.replace(changed[-1], ends_unit=True)
            kept_in_unit = kept_in_unit and not draft.ends_unit
        return changed

    async def _locked(self, center_id: str) -> Head:
        for _ in range(RETRIES_OF_NEW_HEAD):
            head = await change_log.lock_head(self.connection, center_id)
            if head is not None:
                return head
            await change_log.create_head(self.connection, center_id, genesis(center_id, self._sources.new_id()))
        raise AssertionError("a head that was just made is not there")

    def _draft(self, center_id: str, key: tuple[str, str, str], operation: Operation, body: bytes) -> None:
        self._belongs_to(center_id)
        bucket, entity, entity_id = key
        self._drafts.append(
            ChangeDraft(
                bucket=bucket,
                entity=entity,
                entity_id=entity_id,
                operation=operation,
                body=body,
                ends_unit=False,
            )
        )

    def _belongs_to(self, center_id: str) -> None:
        if self._center_id not in (None, center_id):
            raise AssertionError("one transaction writes to the log of one centre; begin another one")
        self._center_id = center_id


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
        with database_errors():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                connection = await session.connection()
                unit = UnitOfWork(session, connection, self._sources, actor=actor, origin=origin)
                yield unit
                await unit.finish()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One read-only transaction that sees the database as it stood at its first statement.

        Raises:
            DatabaseUnavailable: as `begin`.

        """
        with database_errors():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    yield connection
