"""A world on PostgreSQL for the contract suite and for tests that look deeper."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import LOCK_TIMEOUT_MS, create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.sync_store import ServerStore
from sync.incidents import DeviceIncident, Incident
from sync.records import Entity, RoomRecord
from tests.contract.server_world import STORE_NOW_MS, Row, new_id
from tests.support.clock import FakeClock


@dataclass
class PostgresWorld:
    """A store on one engine, and rows written straight into the tables around it."""

    engine: AsyncEngine
    clock: FakeClock
    units: UnitsOfWork
    intake: JournalIntake
    store: ServerStore

    async def make_center(self) -> str:
        center_id, organisation_id = new_id(), new_id()
        await self.execute(
            "INSERT INTO organisation VALUES (:id, :name)",
            id=organisation_id,
            name=organisation_id,
        )
        await self.execute(
            "INSERT INTO center (id, organisation_id, code, name, time_zone) "
            "VALUES (:id, :organisation_id, :code, 'Sunflower', 'Europe/Berlin')",
            id=center_id,
            organisation_id=organisation_id,
            code=center_id,
        )
        return center_id

    async def make_child(self, center_id: str) -> str:
        child_id = new_id()
        async with self.units.begin(actor="test", origin="test") as unit:
            await unit.lock_head(center_id)
            await unit.connection.execute(
                text(
                    "INSERT INTO person (center_id, id, kind, external_id, given_name, family_name, preferred_name, "
                    "phone, email) VALUES (:center_id, :id, 'child', :code, 'Mia', 'Example', '', '', '')"
                ),
                {"center_id": center_id, "id": child_id, "code": child_id},
            )
            # Devices do not know it: there is nothing to take away, and that is said.
            unit.remove(center_id, Entity.CHILD, child_id)
        return child_id

    async def make_device(self, center_id: str, public_key: bytes) -> DeviceKey:
        device_id = new_id()
        await self.execute(
            "INSERT INTO device (id, center_id, name, state, public_key, app_version, created_at) "
            "VALUES (:id, :center_id, 'Front desk', 'active', :public_key, '', :at)",
            id=device_id,
            center_id=center_id,
            public_key=public_key,
            at=self.clock.now(),
        )
        return DeviceKey(center_id, device_id)

    async def revoke(self, device: DeviceKey) -> None:
        await self.execute("UPDATE device SET state = 'revoked' WHERE id = :id", id=device.device_id)

    async def put_together(self, center_id: str, rooms: Sequence[tuple[str, RoomRecord]]) -> None:
        async with self.units.begin(actor="test", origin="test") as unit:
            for room_id, record in rooms:
                unit.put(center_id, Entity.ROOM, room_id, record)
        await self.hear(center_id)

    async def remove_room(self, center_id: str, room_id: str) -> None:
        async with self.units.begin(actor="test", origin="test") as unit:
            unit.remove(center_id, Entity.ROOM, room_id)
        await self.hear(center_id)

    async def hear(self, center_id: str) -> None:
        """Tell the store what followers would hear at once: nobody listens in this world."""
        async with self.engine.connect() as connection:
            statement = text("SELECT epoch, version FROM center_head WHERE center_id = :center_id")
            epoch, version = (await connection.execute(statement, {"center_id": center_id})).one()
        self.store.standings.head_moved(center_id, str(epoch), version)

    async def rows(self, center_id: str) -> set[Row]:
        async with self.engine.connect() as connection:
            found = await connection.execute(
                text(
                    "SELECT bucket, entity, entity_id, version, body FROM current_record "
                    "WHERE center_id = :center_id ORDER BY entity, entity_id"
                ),
                {"center_id": center_id},
            )
            return {(row.bucket, row.entity, row.entity_id, row.version, bytes(row.body)) for row in found}

    async def incidents(self, center_id: str) -> dict[str, tuple[str, DeviceIncident]]:
        async with self.engine.connect() as connection:
            found = await connection.execute(
                text("SELECT * FROM device_incident WHERE center_id = :center_id ORDER BY event_id"),
                {"center_id": center_id},
            )
            return {str(row.event_id): (str(row.device_id), _incident(row)) for row in found}

    async def begin_epoch(self, center_id: str) -> None:
        epoch = new_id()
        await self.execute(
            "UPDATE center_head SET epoch = :epoch WHERE center_id = :center_id", epoch=epoch, center_id=center_id
        )
        await self.execute(
            "INSERT INTO log_epoch (center_id, epoch, from_version, began_at, reason) "
            "SELECT center_id, epoch, version, :at, 'restored' FROM center_head WHERE center_id = :center_id",
            center_id=center_id,
            at=self.clock.now(),
        )
        await self.hear(center_id)

    async def execute(self, statement: str, **parameters: object) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), parameters)


def _incident(row: Any) -> DeviceIncident:
    return DeviceIncident(
        event_id=str(row.event_id),
        incident=Incident(row.incident),
        occurred_at_ms=round(row.occurred_at.timestamp() * 1000),
        detail=msgspec.json.decode(row.detail) if isinstance(row.detail, str) else row.detail,
    )


@asynccontextmanager
async def world_on(url: str, *, lock_timeout_ms: int = LOCK_TIMEOUT_MS) -> AsyncIterator[PostgresWorld]:
    """A server on a database, as the role that the URL names, until the end of the block."""
    engine = create_engine(url, lock_timeout_ms=lock_timeout_ms)
    try:
        yield make_world(engine)
    finally:
        await engine.dispose()


def make_world(engine: AsyncEngine) -> PostgresWorld:
    """Wire a store as the composition root does, with a clock that stands still."""
    clock = FakeClock(STORE_NOW_MS)
    ids = Ids(clock)
    units = UnitsOfWork(engine, clock=clock, luck=os.urandom, new_id=ids.new)
    intake = JournalIntake(units, clock)
    return PostgresWorld(engine, clock, units, intake, ServerStore(units, intake, clock))
