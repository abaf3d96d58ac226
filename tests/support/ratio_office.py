"""The API of ratio as its people see it, with a desk whose journal reaches the server."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from sqlalchemy import text

from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.roster_file import SourceFile
from server.services.verification import Verification
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import Desk
from tests.support.api import Api


class Office:
    """The API as its people see it, a desk whose journal reaches the server, and the log as other desks get it."""

    def __init__(self, api: Api, units: UnitsOfWork) -> None:
        self.api = api
        self.units = units
        self._who: dict[str, dict[str, str]] = {}
        self.center_id = api.centers["north"]
        self._intake = JournalIntake(units, api.clock)

    async def headers(self, who: str) -> dict[str, str]:
        """Those of somebody who logged in, once."""
        if who not in self._who:
            self._who[who] = await self.api.sign_in(who)
        return self._who[who]

    async def take_in(self, roster: str) -> None:
        report = await self.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
        assert report.stored, report.problems

    async def desk(self, name: str) -> Desk:
        key = Ed25519PrivateKey.generate()
        found = (await self.api.enrol(await self.api.new_code(await self.headers("manager"), name), key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> None:
        assert isinstance(await self._intake.store_batch(desk.key, entries), BatchStored)

    async def put(self, body: dict[str, Any], who: str = "manager") -> Response:
        path = f"/api/v1/centers/{self.center_id}/ratio-rules"
        return await self.api.client.put(path, json=body, headers={**await self.headers(who), "If-Match": "*"})

    async def rule(self, **body: Any) -> dict[str, Any]:
        answer = await self.put({"effective_from": "2026-01-01", **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def get(self, path: str, who: str = "staff", **params: str) -> Response:
        asked = {"center_id": self.center_id, **params}
        return await self.api.client.get(f"/api/v1/{path}", params=asked, headers=await self.headers(who))

    async def now(self, **params: str) -> dict[str, Any]:
        answer = await self.get("ratio", **params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def rooms(self, **params: str) -> dict[str | None, dict[str, Any]]:
        return {room["room_name"]: room["state"] for room in (await self.now(**params))["rooms"]}

    async def breaches(self, **params: str) -> list[dict[str, Any]]:
        answer = await self.get("ratio/breaches", **params)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def one(self, statement: str, **more: str) -> Any:
        async with self.units.read() as connection:
            return await connection.scalar(text(statement), {"center_id": self.center_id, **more})

    async def person(self, external_id: str) -> str:
        statement = "SELECT id FROM person WHERE center_id = :center_id AND external_id = :external_id"
        return str(await self.one(statement, external_id=external_id))

    async def room(self, external_id: str) -> str:
        statement = "SELECT id FROM room WHERE center_id = :center_id AND external_id = :external_id"
        return str(await self.one(statement, external_id=external_id))

    async def center_body(self) -> bytes:
        """What every desk holds of the centre."""
        statement = "SELECT body FROM current_record WHERE center_id = :center_id AND entity = 'center'"
        return bytes(await self.one(statement))

    async def version(self) -> int:
        return int(await self.one("SELECT version FROM center_head WHERE center_id = :center_id"))

    async def wrong_books(self) -> list[Any]:
        return (await Verification(self.units).check(self.center_id)).findings
