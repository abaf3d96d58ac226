"""The server's HTTP door over a fresh database: three centres of two organisations, and people of every role."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from server.app import running_app
from server.core.clock import Clock
from server.core.settings import Settings, load_settings
from server.routes import build_app
from server.services.access import RoleId
from server.services.accounts import NewUser
from server.services.bundle import Services
from server.services.devices import message_to_sign, to_base64url
from server.services.roster_file import SourceFile
from tests.support.clock import FakeClock
from tests.support.postgres import FreshDatabase, PostgresServer, copied, made_once, template_of

PASSWORD = "seven quiet green gates"
SECRET = "n2Xw7-Qv4bK9_tR3yLz8mHc5jDg6fPs1aEu0oViW"
CENTERS = """record,external_id,name,organisation,time_zone
center,north,North House,Hill Nurseries,Europe/Lisbon
center,south,South House,Hill Nurseries,Europe/Berlin
center,other,Other House,Lake Nurseries,Europe/Berlin
"""
NORTH = """record,external_id,center,name,given_name,family_name,room,child,adult,status,role
room,BEES,north,Bumblebees,,,,,,,
child,C-1,north,,Zoë,O'Neill-Ünal,BEES,,,,
child,C-2,north,,Ana,Silva,BEES,,,,
guardian,G-1,north,,Deniz,Ünal,,,,,
pickup,,north,,,,,C-1,G-1,authorised,
staff,S-1,north,,Ruth,Appiah,,,,,educator
"""
PEOPLE = {
    "parent": ("parent@example.org", RoleId.PARENT, "north"),
    "staff": ("staff@example.org", RoleId.STAFF, "north"),
    "manager": ("manager@example.org", RoleId.MANAGER, "north"),
    "stranger": ("stranger@example.org", RoleId.MANAGER, "south"),
    "admin": ("admin@example.org", RoleId.ADMIN, "north"),
    "foreign_admin": ("foreign@example.org", RoleId.ADMIN, "other"),
}


@dataclass
class Api:
    """A running app, and a client for anybody."""

    client: httpx.AsyncClient
    services: Services
    settings: Settings
    clock: FakeClock
    app: FastAPI
    centers: dict[str, str] = field(default_factory=dict)

    async def sign_in(self, who: str) -> dict[str, str]:
        """Make one of PEOPLE and give the headers of a log-in."""
        email, role, center = PEOPLE[who]
        await self.services.accounts.create(NewUser(email, who, role, center), PASSWORD)
        form = {"username": email, "password": PASSWORD}
        answer = await self.client.post("/api/v1/auth/token", data=form)
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

    async def new_code(self, headers: dict[str, str], name: str = "Front desk") -> str:
        """Ask for an enrolment code of the centre north."""
        path = f"/api/v1/centers/{self.centers['north']}/enrolment-codes"
        answer = await self.client.post(path, json={"device_name": name}, headers=headers)
        return str(answer.raise_for_status().json()["code"])

    async def enrol(self, code: str, key: Ed25519PrivateKey) -> httpx.Response:
        """Enrol a kiosk with a key."""
        public_key = to_base64url(key.public_key().public_bytes_raw())
        body = {"code": code, "public_key": public_key, "device_name": "Kiosk", "app_version": "1.0"}
        return await self.client.post("/api/v1/devices/enrol", json=body)

    async def nonce(self, device_id: str) -> str:
        """Ask for a nonce."""
        answer = await self.client.post(f"/api/v1/devices/{device_id}/nonce")
        return str(answer.raise_for_status().json()["nonce"])

    async def token(self, device_id: str, nonce: str, key: Ed25519PrivateKey) -> httpx.Response:
        """Ask for a token with a signature over a nonce."""
        signature = to_base64url(key.sign(message_to_sign(device_id, nonce)))
        body = {"nonce": nonce, "signature": signature}
        return await self.client.post(f"/api/v1/devices/{device_id}/token", json=body)


def settings_for(database: FreshDatabase, folder: Path, **more: Any) -> Settings:
    """Settings that name a database of the tests."""
    return load_settings(
        env_file=None,
        environment="test",
        secret_key=SECRET,
        database_url=database.urls.app,
        database_owner_url=database.urls.owner,
        database_pool_size=5,
        data_dir=folder,
        **more,
    )


class LentClock:
    """The clock of whoever has an app just now."""

    def __init__(self) -> None:
        self.of_now: Clock = FakeClock()

    def wall_ms(self) -> int:
        return self.of_now.wall_ms()

    def monotonic_ms(self) -> int:
        return self.of_now.monotonic_ms()

    def now(self) -> datetime:
        return self.of_now.now()


_free_apps: dict[str, list[tuple[FastAPI, LentClock]]] = {}


@contextmanager
def _borrowed_app(settings: Settings, clock: Clock) -> Iterator[FastAPI]:
    """An app for these settings that nobody else has now: to make one takes longer than most tests."""
    key = repr(settings.model_dump(exclude={"database_url", "database_owner_url", "data_dir"}))
    free = _free_apps.setdefault(key, [])
    if not free:
        lent = LentClock()
        free.append((build_app(settings, lent), lent))
    app, lent = free.pop()
    lent.of_now = clock
    yield app
    for part in ("services", "live_hub", "sync_socket"):
        delattr(app.state, part)
    free.append((app, lent))


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[Api]:
    """The app with its life, without people or centres."""
    async with AsyncExitStack() as stack:
        clock = FakeClock()
        app = stack.enter_context(_borrowed_app(settings, clock))
        running = await stack.enter_async_context(running_app(settings, clock=clock, app=app))
        transport = httpx.ASGITransport(running.app)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://test"))
        yield Api(client, running.services, settings, clock, running.app)


@pytest.fixture
async def database(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FreshDatabase]:
    """A migrated database with no rows in it but what the migrations put there, and the three centres with `api`."""

    async def fill(made: FreshDatabase) -> None:
        async with running_api(settings_for(made, tmp_path_factory.mktemp("rosters"))) as found:
            for text in (CENTERS, NORTH):
                report = await found.services.roster_import.run([SourceFile("roster.csv", text.encode())])
                assert not report.problems, report.problems

    template = template_of(postgres_server)
    if "api" in request.fixturenames:
        template = await made_once(postgres_server, "rosters", fill)
    async with copied(postgres_server, template) as fresh:
        yield fresh


@pytest.fixture
async def api(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Api]:
    """The app with three centres."""
    async with running_api(settings_for(database, tmp_path)) as found:
        for code in ("north", "south", "other"):
            found.centers[code] = (await found.services.centers.by_code(code)).id
        yield found


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of problem details, whose form is checked."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["title"]
    assert body["detail"]
    return answer.status_code, body["code"]
