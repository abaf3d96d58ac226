"""The API as staff of a centre sees it, and desks whose journals arrive when the test says so.

The clock begins at 15:13:20 at the centre (Lisbon); all times are minutes after that.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.clock import datetime_of
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.presence import names
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.positions import Positions
from sync.effects import RecordApplied
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import MINUTE_MS, Desk
from tests.support.api import PASSWORD, PEOPLE, Api, problem
from tests.support.clock import START_MS
from tests.support.postgres import FreshDatabase

HOUR = 60


def moment(minute: float) -> str:
    return datetime_of(int(START_MS + minute * MINUTE_MS)).isoformat()


class LateOffice:
    """The API as a member of staff sees it, and desks whose journals reach the server when the test says so."""

    def __init__(self, api: Api, units: UnitsOfWork) -> None:
        self.api = api
        self._headers: dict[tuple[str, int], dict[str, str]] = {}
        self._units = units
        self._intake = JournalIntake(units, api.clock)
        self._positions = Positions(units, api.clock)

    async def headers(self, who: str) -> dict[str, str]:
        """Those of a log-in at this minute; an older one may have run out."""
        key = (who, self.api.clock.wall_ms() // MINUTE_MS)
        if key not in self._headers:
            form = {"username": PEOPLE[who][0], "password": PASSWORD}
            answer = await self.api.client.post("/api/v1/auth/token", data=form)
            self._headers[key] = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        return self._headers[key]

    async def desk(self, name: str) -> Desk:
        key = Ed25519PrivateKey.generate()
        code = await self.api.new_code(await self.headers("manager"), name)
        found = (await self.api.enrol(code, key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    def wait_until(self, minute: float) -> None:
        self.api.clock.set_wall_ms(int(START_MS + minute * MINUTE_MS))

    async def push(self, desk: Desk, *entries: Entry, at: float) -> None:
        """The desk is linked at that minute and uploads."""
        self.wait_until(at)
        assert isinstance(await self._intake.store_batch(desk.key, entries), BatchStored)

    async def heartbeat(self, desk: Desk, *, at: float, waiting: int = 0) -> None:
        """The desk says at that minute where it is and how much it has to send."""
        self.wait_until(at)
        self._positions.note(desk.key, RecordApplied("epoch", 1, waiting))
        await self._positions.flush()

    async def get(self, path: str, **more: str) -> dict[str, Any]:
        params = {"center_id": self.api.centers["north"], **more}
        answer = await self.api.client.get(f"/api/v1/{path}", params=params, headers=await self.headers("staff"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def presence(self, at: float, known_at: float | None = None) -> dict[str, Any]:
        known = {} if known_at is None else {"known_at": moment(known_at)}
        return await self.get("attendance/presence", at=moment(at), **known)

    async def children_in(self, at: float, known_at: float | None = None) -> list[str]:
        return [child["name"] for child in (await self.presence(at, known_at))["children"]]

    async def child(self, name: str) -> str:
        children = (await self.get("attendance"))["children"]
        return str(next(child["child_id"] for child in children if child["given_name"] == name))

    async def staff(self, name: str) -> str:
        async with self._units.read() as connection:
            found = await names(connection, self.api.centers["north"], limit=10)
        return next(person_id for person_id, person in found.items() if person.given_name == name)

    async def refused(self, path: str, **more: str) -> tuple[int, str]:
        """Ask, and expect a problem."""
        asked = {"center_id": self.api.centers["north"], **more}
        headers = await self.headers("staff")
        return problem(await self.api.client.get(f"/api/v1/{path}", params=asked, headers=headers))


@asynccontextmanager
async def open_late_office(api: Api, database: FreshDatabase) -> AsyncIterator[LateOffice]:
    """An office over the app's own database, with a member of staff and a manager."""
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    for who in ("staff", "manager"):
        await api.sign_in(who)
    try:
        yield LateOffice(api, units)
    finally:
        await engine.dispose()
