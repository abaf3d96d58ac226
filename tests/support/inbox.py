"""The review inbox over the HTTP door, and desks whose journals reach the server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.roster_file import SourceFile
from sync.events import BatchStored
from sync.journal import Entry, Outcome
from tests.contract.server_world import MINUTE_MS, NOW_MS, Desk
from tests.support.api import Api
from tests.support.postgres import FreshDatabase

PICKUP = "record,center,child,adult,status\npickup,north,C-1,G-1,{status}\n"


class Inbox:
    """The inbox as somebody of the centre sees it, and a desk whose journal reaches the server."""

    def __init__(self, api: Api, headers: dict[str, str], units: UnitsOfWork) -> None:
        self.api = api
        self.headers = headers
        self.units = units
        self._signed_in = {"staff": headers}
        self._intake = JournalIntake(units, api.clock)

    async def who(self, name: str) -> dict[str, str]:
        """Sign somebody in, once."""
        if name not in self._signed_in:
            self._signed_in[name] = await self.api.sign_in(name)
        return self._signed_in[name]

    async def desk(self, name: str = "Front desk") -> Desk:
        key = Ed25519PrivateKey.generate()
        code = await self.api.new_code(await self.who("manager"), name)
        found = (await self.api.enrol(code, key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> list[Outcome]:
        answer = await self._intake.store_batch(desk.key, entries)
        assert isinstance(answer, BatchStored)
        return [outcome.outcome for outcome in answer.outcomes]

    async def person(self, external_id: str) -> str:
        statement = "SELECT id FROM person WHERE external_id = :external_id AND center_id = :center_id"
        async with self.units.read() as connection:
            parameters = {"external_id": external_id, "center_id": self.api.centers["north"]}
            return str(await connection.scalar(text(statement), parameters))

    async def listed(self, **more: str) -> list[dict[str, Any]]:
        return list((await self.page(**more))["items"])

    async def page(self, **more: str) -> dict[str, Any]:
        params = {"center_id": self.api.centers["north"], **more}
        answer = await self.api.client.get("/api/v1/reviews", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def answer(self, finding: str, code: str, *, who: str = "manager", **more: object) -> Any:
        return await self.api.client.post(
            "/api/v1/reviews/answers",
            params={"center_id": self.api.centers["north"]},
            json={"finding": finding, "answer": code, **more},
            headers=await self.who(who),
        )

    async def set_pickup(self, status: str, at_minute: int) -> None:
        """A manager says who may collect, at a moment of the server's clock."""
        before_ms = self.api.clock.wall_ms()
        self.api.clock.set_wall_ms(NOW_MS + at_minute * MINUTE_MS)
        report = await self.api.services.roster_import.run(
            [SourceFile("roster.csv", PICKUP.format(status=status).encode())]
        )
        assert report.stored, report.problems
        self.api.clock.set_wall_ms(before_ms)


@pytest.fixture
async def inbox(api: Api, database: FreshDatabase) -> AsyncIterator[Inbox]:
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    try:
        yield Inbox(api, await api.sign_in("staff"), units)
    finally:
        await engine.dispose()
