"""Families of the centre north over the HTTP door: two parents of one child, and a parent of another.

`mother` is a legal guardian of C-1, `father` may not see C-1, `neighbour` is a legal guardian of C-2.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from httpx import Response
from sqlalchemy import text

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import RoleId
from server.services.accounts import NewUser
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.roster_file import SourceFile
from server.services.verification import Verification
from sync.events import BatchStored
from sync.journal import Entry
from sync.records import RECORD_TYPES, Entity
from tests.contract.server_world import Desk
from tests.support.api import PASSWORD, PEOPLE, Api
from tests.support.postgres import FreshDatabase

ROSTER = """\
record,external_id,center,given_name,family_name,child,adult,status,relationship,legal_guardian,phone,email,can_view
guardian,G-1,north,Deniz,Ünal,,,,,,+351 910 000 001,deniz@example.org,
guardian,G-2,north,Pat,O'Neill,,,,,,+351 910 000 002,pat@example.org,
guardian,G-3,north,Rui,Silva,,,,,,+351 910 000 003,rui@example.org,
pickup,,north,,,C-1,G-1,authorised,mother,yes,,,
pickup,,north,,,C-1,G-2,suspended,father,no,,,no
pickup,,north,,,C-2,G-3,authorised,father,yes,,,
"""
PARENTS = {"mother": "G-1", "father": "G-2", "neighbour": "G-3"}
ADDRESSES = {who: f"{who}@example.org" for who in PARENTS}


class Families:
    """The API as any of them sees it, and desks whose journals reach the server."""

    def __init__(self, api: Api, units: UnitsOfWork) -> None:
        self.api = api
        self.units = units
        self.center = api.centers["north"]
        self.accounts: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._tokens: dict[str, dict[str, str]] = {}
        self._made: set[str] = set()
        self._intake = JournalIntake(units, api.clock)

    async def headers(self, who: str) -> dict[str, str]:
        """Those of a log-in, once."""
        if who in self._tokens:
            return self._tokens[who]
        if who in PEOPLE and who not in self._made:
            self._made.add(who)
            self._tokens[who] = await self.api.sign_in(who)
            return self._tokens[who]
        form = {"username": ADDRESSES.get(who) or PEOPLE[who][0], "password": PASSWORD}
        answer = await self.api.client.post("/api/v1/auth/token", data=form)
        self._tokens[who] = {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
        return self._tokens[who]

    def sign_out(self) -> None:
        """Log-ins run out; whoever asks next signs in again."""
        self._tokens.clear()

    async def ask(self, who: str, method: str, path: str, *, tag: str = "", kind: str = "", **more: Any) -> Response:
        """A request; `{north}` and ids of the roster in the path stand for what they are here.

        `tag`: If-Match. `kind`: the Content-Type of `content`.
        """
        names = {external_id.replace("-", ""): one for external_id, one in self.ids.items()}
        address = path.format(north=f"/centers/{self.center}", **names)
        said = {"If-Match": tag, "Content-Type": kind}
        headers = {**await self.headers(who), **{name: value for name, value in said.items() if value}}
        return await self.api.client.request(method, f"/api/v1{address}", headers=headers, **more)

    async def good(self, who: str, method: str, path: str, *, tag: str = "", **more: Any) -> Any:
        """A request that is granted; what it answers."""
        answer = await self.ask(who, method, path, tag=tag, **more)
        assert answer.is_success, (path, answer.text)
        return answer.json() if answer.content else None

    async def take_in(self, roster: str) -> None:
        report = await self.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
        assert report.stored, report.problems

    async def value(self, statement: str, **parameters: object) -> Any:
        async with self.units.read() as connection:
            return await connection.scalar(text(statement), parameters)

    async def record(self, entity: Entity, entity_id: str) -> Any:
        """What every device of the centre holds of it."""
        statement = """
            SELECT body FROM current_record
            WHERE center_id = :center AND entity = :entity AND entity_id = :entity_id
        """
        body = await self.value(statement, center=self.center, entity=entity.value, entity_id=entity_id)
        return None if body is None else msgspec.json.decode(bytes(body), type=RECORD_TYPES[entity])

    async def desk(self, name: str = "Front desk") -> Desk:
        key = Ed25519PrivateKey.generate()
        code = await self.api.new_code(await self.headers("manager"), name)
        found = (await self.api.enrol(code, key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> None:
        assert isinstance(await self._intake.store_batch(desk.key, entries), BatchStored)

    async def wrong_books(self) -> list[Any]:
        """What a check of all books finds, and what a rebuild of stays and findings changes."""
        rebuilt = await self.api.services.projections.rebuild(self.center)
        found: list[Any] = list((await Verification(self.units).check(self.center)).findings)
        return found + [rebuilt] * bool(rebuilt.wrong_stays or rebuilt.wrong_reviews)


@asynccontextmanager
async def families_of(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    """Import the families, make their accounts, and let the manager link them."""
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    families = Families(api, units)
    try:
        await families.take_in(ROSTER)
        statement = "SELECT id FROM person WHERE external_id = :one AND center_id = :center"
        for external_id in ("C-1", "C-2", *PARENTS.values()):
            families.ids[external_id] = str(await families.value(statement, one=external_id, center=families.center))
        families.ids["room"] = str(await families.value("SELECT id FROM room"))
        for who, adult in PARENTS.items():
            user = NewUser(ADDRESSES[who], who, RoleId.PARENT, "north")
            families.accounts[who] = await api.services.accounts.create(user, PASSWORD)
            body = {"user_id": families.accounts[who]}
            await families.good("manager", "PUT", f"{{north}}/adults/{families.ids[adult]}/account", json=body)
        yield families
    finally:
        await engine.dispose()
