"""The contract of a desk, kept by the shipped one: real keys, a real encrypted file, a real link to a server."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.messages import EntrySettled
from kiosk.services.desk import Desk
from kiosk.services.enrolment import Request, enrol
from sync.records import AdultRecord, CenterRecord, Entity, PickupRecord, RoomRecord
from tests.contract.desk import DeskContract
from tests.support.kiosk_center import ROOM_ID
from tests.support.kiosk_clock import MovableClock
from tests.support.kiosk_server import CODE, FakeServer, until

LEASE_MS = 3_600_000
ANA = "018f0000-0000-7000-8000-0000000000c1"
CHILDREN = {
    ANA: ("Ana", "Silva"),
    "018f0000-0000-7000-8000-0000000000c2": ("Inês", "Gonçalves"),
    "018f0000-0000-7000-8000-0000000000c3": ("João", "Nunes"),
}
ADULTS = {
    "018f0000-0000-7000-8000-0000000000a1": ("Maria", "Silva", "authorised", ""),
    "018f0000-0000-7000-8000-0000000000a2": ("João", "Pinto", "not_authorised", ""),
    "018f0000-0000-7000-8000-0000000000a3": ("Helena", "Silva", "authorised", "2020-01-31"),
}


def fill(server: FakeServer) -> None:
    """The centre that the contract describes."""
    center = CenterRecord(code="OAK", name="Little Oaks Nursery", time_zone="Europe/Lisbon")
    server.put(Entity.CENTER, server.center_id, center)
    server.put(Entity.ROOM, ROOM_ID, RoomRecord(name="Bees"))
    for child_id, (given, family) in CHILDREN.items():
        server.child(child_id, given, family)
    for adult_id, (given, family, status, valid_to) in ADULTS.items():
        server.put(Entity.ADULT, adult_id, AdultRecord(given_name=given, family_name=family))
        pickup = PickupRecord(child_id=ANA, adult_id=adult_id, status=status, valid_to=valid_to)
        server.put(Entity.PICKUP, adult_id.replace("a", "b"), pickup)


@dataclass
class LinkedWorld:
    """The server is away, and every try of the link fails, until it has to answer."""

    desk: Desk
    server: FakeServer
    clock: MovableClock

    async def settle(self, event_id: str) -> None:
        """Let the server come back, and wait for its answer to this entry."""
        await self.server.start()
        self.desk.hurry()
        await until(lambda: self._is_settled(event_id))

    async def lock(self) -> None:
        """Let the lease run out, and the desk look at its clocks, as it does once a minute."""
        self.clock.pass_ms(2 * LEASE_MS)
        await self.desk._make_round()

    async def unlock(self) -> None:
        """Let the server come back, and wait until it was heard."""
        await self.server.start()
        self.desk.hurry()
        await until(self._is_unlocked)

    async def _is_unlocked(self) -> bool:
        return not (await self.desk.status()).locked

    async def _is_settled(self, event_id: str) -> bool:
        settled: tuple[EntrySettled, ...] = await self.desk.settled_untold()
        return event_id in {entry.event_id for entry in settled} and (await self.desk.status()).waiting == 0


def short_waits(count: int) -> bytes:
    """Real luck, but for the four bytes that stretch the pause between two tries of the link."""
    return b"\x01\x00\x00\x00" if count == 4 else secrets.token_bytes(count)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[LinkedWorld]:
    server = FakeServer()
    server.lease_ms = LEASE_MS
    fill(server)
    async with server.running():
        request = Request(server=server.url, code=CODE, data_dir=tmp_path / "desk", name="Front desk")
        await enrol(request, lambda _: None)
    clock = MovableClock()
    desk = await Desk.open(tmp_path / "desk", luck=short_waits, clock=clock)
    link = asyncio.create_task(desk.run_link())
    try:
        yield LinkedWorld(desk, server, clock)
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()
        await server.stop()


class TestDeskOnSqlcipher(DeskContract):
    pass
