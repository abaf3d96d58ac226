"""Somebody else could write a client: one that was made from docs/protocol.md alone syncs beside a real kiosk."""

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.core.clock import SystemClock
from server.core.tokens import TokenPurpose, Tokens
from tests.protocol.naive_client import Until, link
from tests.protocol.naive_device import NaiveDevice
from tests.protocol.naive_wire import Entry, digests
from tests.support.world import Desk, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

SECRET = "n2Xw7-Qv4bK9_tR3yLz8mHc5jDg6fPs1aEu0oViW"
DEADLINE_S = 60
NORMAL, UNAUTHENTICATED, REVOKED, FORK = 1000, 4401, 4403, 4409
UP_TO_DATE, RESUME, SNAPSHOT, RECONCILE, UPLOAD_ONLY = 1, 2, 3, 4, 5
APPLIED, DUPLICATE, PARKED = 1, 2, 5
UNKNOWN_REFERENCE, DEVICE_NOT_ENTITLED = 4, 7
STRANGER = "0198a000-0000-7000-8000-00000000dead"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A server and a kiosk that follows it, for all tests of this file."""
    made = World(tmp_path_factory.mktemp("world"))
    made.environment["SECRET_KEY"] = SECRET
    try:
        await made.start_server()
        await made.prepare()
        await made.add_desk("Desk 1")
        yield made
    finally:
        await made.close()


@pytest.fixture
def desk(world: World) -> Desk:
    return world.desks[0]


@pytest_asyncio.fixture(loop_scope="module")
async def device(world: World) -> NaiveDevice:
    """A naive device that is enrolled and has a token."""
    made = NaiveDevice(f"http://127.0.0.1:{world.port}", SystemClock().wall_ms)
    path = f"/api/v1/centers/{world.center_id}/enrolment-codes"
    answer = await world.client.post(path, json={"device_name": "Naive"})
    await made.enrol(answer.raise_for_status().json()["code"])
    await made.fetch_token()
    return made


async def linked(device: NaiveDevice, until: Until = lambda device: device.is_current) -> int:
    """Be linked until the condition holds, or fail."""
    async with asyncio.timeout(DEADLINE_S):
        return await link(device, until)


async def check_all_equal(world: World, device: NaiveDevice) -> None:
    """Server, kiosk and naive device hold the same."""
    await world.until_equal()
    assert await linked(device) == NORMAL
    answer = await world.client.get(f"/api/v1/centers/{world.center_id}/sync-state")
    state = answer.raise_for_status().json()
    assert device.version == state["version"]
    assert {bucket: digest.hex() for bucket, digest in digests(device.records).items()} == state["digests"]
    status = await world.desks[0].ask("status")
    assert (status["version"], status["digests"]) == (state["version"], state["digests"])


async def children_of(desk: Desk) -> list[str]:
    """Children who are not in."""
    roster = (await desk.ask("roster"))["children"]
    return [child["child_id"] for child in roster if child["status"] != "in"]


def outcome(entry: Entry) -> tuple[int, int]:
    """What became of an entry, and why it is parked."""
    assert entry.outcome is not None
    return entry.outcome[2], entry.outcome[3]


async def test_it_syncs_beside_a_kiosk_and_both_see_what_the_other_recorded(
    world: World, desk: Desk, device: NaiveDevice
) -> None:
    ann, ben, cem, dan, eve, *_ = await children_of(desk)
    seen = (await desk.check_in(ann))["event_id"]
    await desk.confirmed(seen)
    offline = [device.record("check_in", ben), device.record("check_in", STRANGER)]
    assert await linked(device) == NORMAL
    assert device.links[-1]["plan"] == SNAPSHOT
    assert seen in device.events()
    assert [outcome(entry) for entry in offline] == [(APPLIED, 0), (PARKED, UNKNOWN_REFERENCE)]
    await desk.until(lambda line: line["event"] == "change" and line["event_id"] == offline[0].event_id)

    away = (await desk.check_in(cem))["event_id"]
    await desk.confirmed(away)
    wanted = {STRANGER}
    both = asyncio.create_task(linked(device, lambda device: wanted <= device.events() and device.is_current))
    mine = device.record("check_in", dan, adult_name="Aunt Alma")
    await desk.until(lambda line: line["event"] == "change" and line["event_id"] == mine.event_id)
    live = (await desk.check_in(eve))["event_id"]
    wanted.clear()
    wanted.add(live)
    assert await both == NORMAL
    assert device.links[-1]["plan"] == RESUME
    assert {away, live, mine.event_id} <= device.events()
    await check_all_equal(world, device)
    assert device.links[-1]["plan"] == UP_TO_DATE
    present = {child["child_id"] for child in (await world.attendance())["children"] if child["status"] == "in"}
    assert present >= {ann, ben, cem, dan, eve}


async def test_it_proves_itself_within_the_link_and_a_wrong_proof_ends_it(device: NaiveDevice) -> None:
    tokens = Tokens(SECRET, SystemClock())

    def short_token() -> str:
        return tokens.issue(TokenPurpose.DEVICE, device.device_id, lifetime_s=8)

    device.token = short_token()
    ends_ms = asyncio.get_running_loop().time() * 1000 + 10_000
    outlived = await linked(device, lambda device: device.monotonic_ms() > ends_ms and device.heartbeats > 0)
    assert (outlived, device.proofs) == (NORMAL, 1)
    assert device.clock is not None
    offset_ms, error_ms = device.clock
    assert abs(offset_ms) <= error_ms + 5

    device.token = short_token()
    device.key = Ed25519PrivateKey.generate()
    assert await linked(device, lambda _: False) == UNAUTHENTICATED


async def test_a_bucket_that_lost_a_record_is_repaired(world: World, desk: Desk, device: NaiveDevice) -> None:
    ann, *_ = await children_of(desk)
    await desk.confirmed((await desk.check_in(ann))["event_id"])
    await linked(device)
    whole = dict(device.records)
    del device.records["child", ann]
    await linked(device)
    assert device.links[-1]["differing"] == ["reference"]
    assert device.records == whole
    await check_all_equal(world, device)
    assert device.links[-1]["differing"] == []


def clone_of(device: NaiveDevice) -> NaiveDevice:
    """The same device, from a copy of its memory."""
    twin = copy.copy(device)
    twin.journals, twin.links = copy.deepcopy(device.journals), []
    twin.records, twin.staged_records = dict(device.records), {}
    twin.has_news = asyncio.Event()
    return twin


async def check_exactly_once(world: World, event_ids: list[str]) -> None:
    """Each of these is on the server once."""
    counted = Counter(event["event_id"] for event in await world.events())
    assert [counted[event_id] for event_id in event_ids] == [1] * len(event_ids)


async def test_a_clone_keeps_its_entries_under_its_own_incarnation(
    world: World, desk: Desk, device: NaiveDevice
) -> None:
    ann, ben, cem, dan, eve, fay, *_ = await children_of(desk)
    entries = [device.record("check_in", ann)]
    await linked(device)
    forked, longer, same = clone_of(device), clone_of(device), clone_of(device)
    entries += [device.record("check_in", ben)]
    await linked(device)

    # The server has one entry more than the copy knows, and the copy has two: found when they are pushed.
    entries += [forked.record("check_in", cem), forked.record("check_in", dan)]
    await linked(forked)
    # The copy has none: nothing to tell, but its next number is taken.
    await linked(longer)
    entries += [longer.record("check_in", eve)]
    await linked(longer)
    # The copy has one, too: another hash at the same number.
    entries += [same.record("check_in", fay)]
    await linked(same)

    journals = {twin.journal.incarnation for twin in (device, forked, longer, same)}
    assert (len(device.journals), len(journals)) == (1, 4)
    assert not any(twin.waiting for twin in (forked, longer, same))
    # Where nobody knows from which number on two journals differ, everything is told again, and the server knows it.
    assert outcome(same.journal.entries[0]) == (DUPLICATE, 0)
    await check_exactly_once(world, [entry.event_id for entry in entries])
    await check_all_equal(world, device)


async def test_on_a_link_of_protocol_1_it_syncs_too_and_a_fork_ends_the_link(
    world: World, desk: Desk, device: NaiveDevice
) -> None:
    ann, ben, cem, *_ = await children_of(desk)
    device.protocol = 1
    first = device.record("check_in", ann)
    assert await linked(device) == NORMAL
    assert (device.links[-1]["plan"], outcome(first)) == (SNAPSHOT, (APPLIED, 0))
    twin = clone_of(device)
    second = device.record("check_in", ben)
    await check_all_equal(world, device)
    twin.record("check_in", cem)
    twin.record("check_out", cem)
    assert await linked(twin) == FORK
    await check_exactly_once(world, [first.event_id, second.event_id])


async def test_a_revoked_device_hands_over_its_journal_and_is_sent_nothing(
    world: World, desk: Desk, device: NaiveDevice
) -> None:
    ann, ben, *_ = await children_of(desk)
    await linked(device)
    is_linked = asyncio.Event()

    def never(_: NaiveDevice) -> bool:
        is_linked.set()
        return False

    ending = asyncio.create_task(linked(device, never))
    await asyncio.wait_for(is_linked.wait(), DEADLINE_S)
    revoked: Any = await world.client.post(f"/api/v1/devices/{device.device_id}/revoke")
    revoked.raise_for_status()
    assert await ending == REVOKED
    version, late = device.version, device.record("check_in", ann)
    await desk.confirmed((await desk.check_in(ben))["event_id"])
    await device.fetch_token()
    assert await linked(device, lambda _: False) == NORMAL
    assert device.links[-1]["plan"] == UPLOAD_ONLY
    assert (outcome(late), device.version) == ((PARKED, DEVICE_NOT_ENTITLED), version)
    assert device.is_destroyed


async def test_it_brings_back_to_a_restored_server_what_it_saw(
    world: World, desk: Desk, device: NaiveDevice, tmp_path: Path
) -> None:
    ann, ben, cem, *_ = await children_of(desk)
    early = device.record("check_in", ann)
    await linked(device)
    await world.command("backup", str(tmp_path / "backup"))
    late = device.record("check_in", ben)
    seen = (await desk.check_in(cem))["event_id"]
    await linked(device, lambda device: seen in device.events() and device.is_current)

    # Another machine is set up from the backup, and the desk that recorded it stays away at first.
    desk.switch.cut()
    await world.stop_server()
    world.environment["DATA_DIR"] = str(tmp_path / "server")
    await world.command("restore", str(tmp_path / "backup"))
    await world.start_server()
    await world.sign_in()
    await device.fetch_token()
    assert await linked(device) == NORMAL
    assert device.links[-1]["plan"] == RECONCILE
    told = {entry.event_id: entry for entry in device.journal.entries if entry.fields[3] == "witnessed"}
    assert {event_id: outcome(entry) for event_id, entry in told.items()} == {seen: (APPLIED, 0)}
    assert outcome(late) == (APPLIED, 0)
    desk.switch.restore()
    await check_all_equal(world, device)
    await check_exactly_once(world, [early.event_id, late.event_id, seen])
