"""One real server with its own PostgreSQL for all benchmarks, centres of any size, and kiosks enrolled by its API."""

import asyncio
import csv
import io
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from kiosk.keys import DeviceKeys, new_keys, write_keys
from kiosk.settings import DataFolder
from server.core.database import create_engine
from server.core.embedded_postgres import EmbeddedPostgres
from server.repositories.database_admin import prepare_cluster
from tests.support.world import MANAGER, World

DEADLINE_S: Final = 300.0
ENROL_AT_ONCE: Final = 8
ROOM_CHILDREN: Final = 20
RECORDS_A_CHILD: Final = 5  # the child, two guardians, and that they may collect it

_COLUMNS: Final = (
    "record", "external_id", "center", "name", "organisation", "time_zone", "given_name", "family_name", "birth_date",
    "room", "child", "adult", "status", "relationship",
)  # fmt: skip


@dataclass(frozen=True)
class Center:
    """A centre of the server: its id and its code."""

    id: str
    code: str


@dataclass(frozen=True)
class Options:
    """How thorough to be."""

    runs: int
    is_quick: bool
    has_many: bool

    def pick(self, thorough: int, quick: int) -> int:
        """A size: the quick one when that was asked for."""
        return quick if self.is_quick else thorough


class Stage:
    """The running server and whatever the benchmarks need of it; `bar` shows how far they are."""

    def __init__(self, folder: Path, options: Options, bar: Progress) -> None:
        self.folder = folder
        self.options = options
        self.bar = bar
        self._world = World(folder)
        self._centers = 0
        self._kiosks = 0

    @property
    def address(self) -> str:
        """Where kiosks find the server."""
        return f"http://127.0.0.1:{self._world.port}"

    @property
    def server_pid(self) -> int:
        """The process of the server."""
        assert self._world.server is not None
        return self._world.server.process.pid

    @property
    def server_data(self) -> Path:
        """The data directory of the server."""
        return self.folder / "server"

    async def start(self) -> None:
        """Start the server and sign in as somebody who may enrol kiosks everywhere."""
        await self._world.start_server()
        first = await self._import(1)
        arguments = ("--email", MANAGER, "--name", "Bench", "--role", "admin", "--center", first)
        await self._world.command("create-user", *arguments)
        await self._world.sign_in()

    async def restart(self) -> None:
        """A server process that remembers nothing."""
        await self._world.stop_server()
        await self._world.start_server()

    async def close(self) -> None:
        """End everything."""
        await self._world.close()

    # -- centres and kiosks

    async def new_center(self, children: int) -> Center:
        """Import a centre with so many children, two guardians for each."""
        code = await self._import(children)
        await self._world.sign_in()
        listed = (await self._world.client.get("/api/v1/centers")).raise_for_status().json()["items"]
        return Center(next(one["id"] for one in listed if one["code"] == code), code)

    async def _import(self, children: int) -> str:
        self._centers += 1
        code = f"bench-{self._centers}"
        path = self.folder / f"{code}.csv"
        path.write_text(roster(code, children), encoding="utf-8")
        await self._world.command("import", str(path))
        return code

    async def enrol(self, center: Center) -> Path:
        """Enrol a kiosk by the API; its folder holds its keys and nothing else."""
        self._kiosks += 1
        folder = DataFolder(self.folder / "kiosks" / str(self._kiosks))
        folder.create()
        write_keys(folder.keys, await self.enrol_keys(center, f"Desk {self._kiosks}"))
        return folder.path

    async def enrol_keys(self, center: Center, name: str) -> DeviceKeys:
        """Enrol a kiosk by the API; nothing of it is on the disk here."""
        keys = new_keys(self.address, name, secrets.token_bytes)
        code = (await self._post(f"centers/{center.id}/enrolment-codes", device_name=name))["code"]
        told = {"code": code, "public_key": keys.public_key, "device_name": name, "app_version": "bench"}
        device = await self._post("devices/enrol", **told)
        fields = {**_plain(keys), "device_id": device["device_id"], "center_id": device["center_id"]}
        return DeviceKeys(**fields)

    async def sync_state(self, center: Center) -> dict[str, Any]:
        """What the server says that every replica of the centre holds."""
        answer = await self._world.client.get(f"/api/v1/centers/{center.id}/sync-state")
        state: dict[str, Any] = answer.raise_for_status().json()
        return state

    async def _post(self, path: str, **body: str) -> dict[str, Any]:
        answer = await self._world.client.post(f"/api/v1/{path}", json=body)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    # -- the database behind the server

    def database_url(self, *, is_owner: bool = False) -> str:
        """The URL of the embedded database, as the role of the server or as its owner."""
        urls = EmbeddedPostgres(self.server_data, prepare_cluster).urls()
        return urls.owner if is_owner else urls.app

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """A connection of asyncpg as the owner, with nothing of ours on top, for raw limits."""
        engine = create_engine(self.database_url(is_owner=True), pool_size=1, statement_timeout_ms=60_000)
        try:
            async with engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
                yield (await connection.get_raw_connection()).driver_connection
        finally:
            await engine.dispose()

    async def durability(self) -> str:
        """What PostgreSQL itself says of its version and its durability."""
        async with self.driver() as driver:
            shown = {
                name: await driver.fetchval(f"SHOW {name}")
                for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
            }
        settings = ", ".join(f"{name} {value}" for name, value in list(shown.items())[1:])
        return f"PostgreSQL {shown['server_version']} (embedded, {settings})"


def roster(code: str, children: int) -> str:
    """A centre as a CSV file: 1 + rooms + 5 for each child records."""
    text = io.StringIO()
    rows = csv.DictWriter(text, _COLUMNS, restval="")
    rows.writeheader()
    zone = {"time_zone": "Europe/London"}
    rows.writerow({"record": "center", "external_id": code, "name": code, "organisation": "Bench", **zone})
    for room in range(rooms_of(children)):
        rows.writerow({"record": "room", "external_id": f"R{room}", "center": code, "name": f"Room {room}"})
    for number in range(children):
        child, family = f"C{number}", f"Family-{number}"
        person = {"center": code, "family_name": family}
        born = {"birth_date": "2023-04-05", "room": f"R{number // ROOM_CHILDREN}"}
        rows.writerow({"record": "child", "external_id": child, "given_name": f"Ana {number}", **person, **born})
        for parent in ("A", "B"):
            adult = f"G{number}{parent}"
            rows.writerow({"record": "guardian", "external_id": adult, "given_name": f"Deniz {parent}", **person})
            may = {"status": "authorised", "relationship": "parent"}
            rows.writerow({"record": "pickup", "center": code, "child": child, "adult": adult, **may})
    return text.getvalue()


def rooms_of(children: int) -> int:
    """How many rooms a centre of so many children gets."""
    return -(-children // ROOM_CHILDREN)


def records_of(children: int) -> int:
    """How many records its roster makes."""
    return 1 + rooms_of(children) + RECORDS_A_CHILD * children


async def gather_limited(stage: Stage, what: str, count: int, make: Any) -> list[Any]:
    """Do the same thing `count` times, a few at once, and show how far it is."""
    gate = asyncio.Semaphore(ENROL_AT_ONCE)
    task = stage.bar.add_task(what, total=count)

    async def one() -> Any:
        async with gate, asyncio.timeout(DEADLINE_S):
            made = await make()
        stage.bar.advance(task)
        return made

    try:
        return await asyncio.gather(*(one() for _ in range(count)))
    finally:
        stage.bar.remove_task(task)


def _plain(keys: DeviceKeys) -> dict[str, Any]:
    return {name: getattr(keys, name) for name in keys.__struct_fields__}
