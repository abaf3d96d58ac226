"""A kiosk that a manager pauses: it goes on recording, and what it recorded counts once it may go on."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kiosk.keys import read_keys
from kiosk.messages import LinkPhase
from kiosk.services.desk import Desk
from kiosk.services.enrolment import Request, enrol
from server.core.database import create_engine
from sync.journal import Outcome
from tests.contract.server_world import new_id
from tests.support.api import problem
from tests.support.kiosk_server import until
from tests.support.live_office import LiveOffice, open_live_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
RIGHT_LOST_S = 5.0
# The kiosk's own word for its last try to dial comes a second after the link has ended.
DIALS_AGAIN_S = 1.0
SOMEBODY_WAITS = """
    SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())
"""


@pytest.fixture
async def office(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[LiveOffice]:
    async with open_live_office(database, tmp_path / "server") as opened:
        yield opened


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database.urls.owner)
    yield engine
    await engine.dispose()


@pytest.fixture
async def watcher(database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    """As the server, since only it may see what the server waits for."""
    engine = create_engine(database.urls.app)
    yield engine
    await engine.dispose()


@contextlib.asynccontextmanager
async def linked(folder: Path) -> AsyncIterator[Desk]:
    """A desk with its link; with so little luck it dials again soon."""
    desk = await Desk.open(folder, luck=lambda count: b"\x20\x00\x00\x00" if count == 4 else os.urandom(count))
    link = asyncio.create_task(desk.run_link())
    try:
        yield desk
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()


async def test_a_paused_kiosk_goes_on_recording_and_its_entries_count_once_it_may_go_on(
    office: LiveOffice, owner: AsyncEngine, watcher: AsyncEngine, tmp_path: Path
) -> None:
    api, center = office.api, office.api.centers["north"]
    manager = await api.sign_in("manager")
    folder = tmp_path / "desk"
    server = str(api.client.base_url)
    keys = await enrol(Request(server=server, code=await api.new_code(manager), data_dir=folder), lambda _: None)
    door = f"/api/v1/devices/{keys.device_id}"

    async def turn(what: str) -> httpx.Response:
        return await api.client.post(f"{door}/{what}", headers=manager)

    async with linked(folder) as desk:
        await until(lambda: desk.is_current)
        child = (await desk.roster())[0].child_id
        began_s = time.monotonic()
        for _ in range(2):
            assert (await turn("suspend")).json()["state"] == "suspended"
        await until(lambda: desk._following.link.phase is LinkPhase.PAUSED)
        assert time.monotonic() - began_s < RIGHT_LOST_S + DIALS_AGAIN_S
        assert "entries are kept here" in (await desk.status()).detail
        assert problem(await api.client.post(f"{door}/nonce")) == (403, "device_suspended")
        recorded = [
            (await desk.check_in(child)).event_id,
            (await desk.check_out(child, adult_name="Aunt Silva")).event_id,
        ]
        assert (await desk.status()).waiting == 2
        assert not (await desk.status()).revoked
        assert read_keys(folder / "device.json") is not None
        assert await _stored(owner, recorded) == []
        for _ in range(2):
            assert (await turn("resume")).json()["state"] == "active"
        await until(_is_settled(desk))
        assert [one.outcome for one in await desk.settled_untold()] == [Outcome.APPLIED] * 2
    assert await _stored(owner, recorded) == sorted(recorded)
    told = (await api.client.get("/api/v1/audit", params={"center_id": center}, headers=manager)).json()["items"]
    routes = [one["route"] for one in told if one["entity_id"] == keys.device_id and "{device_id}" in one["route"]]
    assert routes == ["POST /devices/{device_id}/resume", "POST /devices/{device_id}/suspend"]
    await _a_revocation_is_never_undone(owner, watcher, lambda: turn("resume"))
    assert problem(await turn("suspend")) == (409, "device_revoked")
    assert problem(await api.client.post(f"/api/v1/devices/{new_id()}/suspend", headers=manager)) == (
        404, "device_unknown",
    )  # fmt: skip


async def _a_revocation_is_never_undone(
    owner: AsyncEngine, watcher: AsyncEngine, resume: Callable[[], Coroutine[None, None, httpx.Response]]
) -> None:
    """Somebody switches the paused kiosk off for good while another lets it go on."""
    await _run(owner, "UPDATE device SET state = 'suspended' WHERE kind = 'kiosk'")
    async with owner.connect() as first, asyncio.timeout(30):
        await first.execute(text("UPDATE device SET state = 'revoked' WHERE kind = 'kiosk'"))
        resuming = asyncio.create_task(resume())
        async with watcher.connect() as watching:
            while not await watching.scalar(text(SOMEBODY_WAITS)):
                await watching.rollback()
        await first.commit()
        assert problem(await resuming) == (409, "device_revoked")
    async with owner.connect() as connection:
        states = list(await connection.scalars(text("SELECT state FROM device WHERE kind = 'kiosk'")))
    assert states == ["revoked"]


async def _run(owner: AsyncEngine, statement: str) -> None:
    async with owner.begin() as connection:
        await connection.execute(text(statement))


async def _stored(owner: AsyncEngine, event_ids: list[str]) -> list[str]:
    """Those of the events that the server has, one for each time that it has it."""
    statement = "SELECT CAST(event_id AS text) FROM attendance_event WHERE event_id = ANY(CAST(:ids AS uuid[]))"
    async with owner.connect() as connection:
        return sorted(await connection.scalars(text(statement), {"ids": event_ids}))


def _is_settled(desk: Desk) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return desk.is_current and (await desk.status()).waiting == 0

    return check
