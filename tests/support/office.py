"""The API as a manager of a centre sees it, desks whose journals reach the server, and a hand in its tables."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import Desk
from tests.support.api import Api
from tests.support.postgres import FreshDatabase


class Office:
    """A manager of the centre north, and who works there."""

    def __init__(self, api: Api, headers: dict[str, str], intake: JournalIntake, owner: AsyncEngine) -> None:
        self.api = api
        self.headers = headers
        self._owner = owner
        self._intake = intake

    async def desk(self, name: str = "Front desk") -> Desk:
        key = Ed25519PrivateKey.generate()
        found = (await self.api.enrol(await self.api.new_code(self.headers, name), key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> None:
        assert isinstance(await self._intake.store_batch(desk.key, entries), BatchStored)

    async def get(self, stay_id: str, form: str = "evidence", **more: str) -> httpx.Response:
        params = {"center_id": self.api.centers["north"]} | more
        path = f"/api/v1/attendance/stays/{stay_id}/{form}"
        return await self.api.client.get(path, params=params, headers=self.headers)

    async def evidence(self, stay_id: str) -> dict[str, Any]:
        answer = await self.get(stay_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def page(self, stay_id: str) -> str:
        answer = await self.get(stay_id, "evidence.html")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def id_of(self, external_id: str) -> str:
        async with self._owner.connect() as connection:
            statement = text("SELECT id FROM person WHERE external_id = :one")
            return str(await connection.scalar(statement, {"one": external_id}))

    async def tamper(self, table: str, change: str, event_id: str, **more: object) -> None:
        """Change a row of an event behind everybody's back."""
        key = "entity_id" if table == "current_record" else "CAST(event_id AS text)"
        await self.meddle(table, f"UPDATE {table} SET {change} WHERE {key} = :id", id=event_id, **more)

    async def meddle(self, table: str, statement: str, **values: object) -> None:
        """Do as whoever owns the tables can: no trigger stops it."""
        async with self._owner.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            await connection.execute(text(statement), values)


@asynccontextmanager
async def office_of(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    """Sign the manager in."""
    engine, owner = create_engine(database.urls.app), create_engine(database.urls.owner)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    try:
        yield Office(api, await api.sign_in("manager"), JournalIntake(units, api.clock), owner)
    finally:
        await engine.dispose()
        await owner.dispose()


def shown(page: str) -> str:
    """The text of a page, tags taken out."""
    body = page.partition("<body>")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))
