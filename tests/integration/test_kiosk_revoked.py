"""A desk that was revoked: it hands over what it holds, forgets everything, and says so whenever it is started."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kiosk.keys import DeviceRevoked, bury_keys, new_keys, read_keys, write_keys
from kiosk.messages import Revoked
from kiosk.services.desk import Desk, DeskError
from kiosk.services.enrolment import Request, enrol
from sync.journal import Outcome, ParkReason
from tests.support.kiosk_agent import AgentProcess
from tests.support.kiosk_server import ADA, BEN, CODE, ZOE, FakeServer, until
from tests.support.programs import Said, said_by
from tests.support.world import running_world

SECOND_CODE = "WXYZ-6789"


def device_of(folder: Path) -> str:
    keys = read_keys(folder / "device.json")
    assert keys is not None
    return keys.device_id


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    server.fill()
    server.codes[SECOND_CODE] = ""
    async with server.running():
        yield server


@pytest.fixture
async def folder(server: FakeServer, tmp_path: Path) -> Path:
    await enrol(Request(server=server.url, code=CODE, data_dir=tmp_path / "desk", name="Front door"), lambda _: None)
    return tmp_path / "desk"


def left_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"kiosk.log", "agent.log"}


async def say(folder: Path, *arguments: str) -> Said:
    return await said_by("kiosk", *arguments, "--data", str(folder))


async def test_a_desk_that_was_revoked_while_away_hands_over_everything_and_then_forgets_it(
    server: FakeServer, folder: Path
) -> None:
    secrets = read_keys(folder / "device.json")
    assert secrets is not None
    await server.stop()
    process = await AgentProcess.start(folder)
    try:
        await process.heard(event="ready")
        recorded = []
        for child in (ADA, BEN):
            await process.send({"do": "check_in", "child": child})
            recorded.append((await process.heard(event="recorded"))["event_id"])
        (folder / "quarantine" / "20260101T000000-1").mkdir(parents=True)
        (folder / "quarantine" / "20260101T000000-1" / "replica.db").write_bytes(b"old")
        server.revoked.add(device_of(folder))
        await server.start()
        revoked = await process.heard(event="revoked")
        code, errors = await process.ended()
    finally:
        await process.kill()
    assert "handed over" in revoked["message"]
    assert (code, errors.strip()) == (5, f"rollcall-kiosk: {revoked['message']}")
    told = [line for line in process.lines if line["event"] == "confirmed"]
    assert [(line["event_id"], line["reason"]) for line in told] == [
        (event_id, "device_not_entitled") for event_id in recorded
    ]
    (journal,) = [one for one in server.journals.values() if one.entries]
    assert [entry.event_id for entry in journal.entries] == recorded
    assert {outcome.reason for outcome in journal.outcomes} == {ParkReason.DEVICE_NOT_ENTITLED}
    assert left_of(folder) == {"device.json", "kiosk.lock"}
    tombstone = (folder / "device.json").read_bytes()
    kept = msgspec.json.decode(tombstone)
    assert kept["revoked"] is True
    assert "private_key" not in kept
    assert "replica_key" not in kept


async def test_every_command_on_a_revoked_desk_says_the_same_and_a_new_code_begins_a_new_desk(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    keys = read_keys(folder / "device.json")
    assert keys is not None
    bury_keys(folder / "device.json", keys, wall_ms=0)
    for arguments in (["agent"], ["status"], ["export", str(tmp_path / "journal.jsonl")]):
        found = await say(folder, *arguments)
        assert (found.status, "was revoked" in found.err) == (5, True), arguments
    assert left_of(folder) == {"device.json", "kiosk.lock"}, "what was left of the replica is deleted at the next start"
    await enrol(Request(server=server.url, code=SECOND_CODE, data_dir=folder), lambda _: None)
    assert device_of(folder) != keys.device_id


async def test_a_desk_that_is_linked_is_gone_within_seconds_and_says_so_once(server: FakeServer, folder: Path) -> None:
    desk = await Desk.open(folder, luck=lambda count: bytes(count) if count == 4 else os.urandom(count))
    link = asyncio.create_task(desk.run_link())
    messages = desk.subscribe()
    try:
        recorded = await desk.check_in(BEN)
        await until(lambda: desk.is_current and recorded.event_id in {change.entity_id for change in server.changes})
        server.revoke(device_of(folder))
        await asyncio.wait_for(link, 60)
        found = [message async for message in take_until_revoked(messages)]
        assert len(found) == 1
        assert (await desk.status()).revoked
        for question in (desk.roster(), desk.check_in(ZOE), desk.collectors(BEN)):
            with pytest.raises(DeskError) as refusal:
                await question
            assert refusal.value.code == "revoked"
        assert [one.outcome for one in await desk.settled_untold()] == [Outcome.APPLIED]
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()
    assert left_of(folder) == {"device.json", "kiosk.lock"}


async def take_until_revoked(messages: AsyncIterator[object]) -> AsyncIterator[Revoked]:
    async for message in messages:
        if isinstance(message, Revoked):
            yield message
            return


async def test_what_is_recorded_at_the_last_moment_is_handed_over_before_the_end(
    server: FakeServer, folder: Path
) -> None:
    await server.stop()
    desk = await Desk.open(folder, luck=lambda count: bytes(count) if count == 4 else os.urandom(count))
    link = asyncio.create_task(desk.run_link())
    recorded = [(await desk.check_in(ADA)).event_id]
    server.revoked.add(device_of(folder))
    await server.start()
    try:
        for child in (BEN, ZOE):
            with contextlib.suppress(DeskError):  # the end came first
                recorded.append((await desk.check_in(child)).event_id)
        await asyncio.wait_for(link, 60)
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()
    stored = [entry.event_id for journal in server.journals.values() for entry in journal.entries]
    assert stored == recorded


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_a_real_server_takes_what_a_revoked_desk_holds_and_lets_none_of_it_take_effect(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = [child["child_id"] for child in (await one.ask("roster"))["children"]][:2]
        one.switch.cut()
        recorded = [await one.check_in(child) for child in children]
        answer = await world.client.post(f"/api/v1/devices/{device_of(one.data)}/revoke")
        answer.raise_for_status()
        one.switch.restore()
        for line in recorded:
            confirmed = await one.confirmed(line["event_id"])
            assert (confirmed["outcome"], confirmed["reason"]) == ("parked", "device_not_entitled")
        revoked = await one.until(lambda line: line["event"] == "revoked")
        assert one.agent is not None
        assert await asyncio.wait_for(one.agent.process.wait(), 60) == 5
        assert left_of(one.data) == {"device.json", "kiosk.lock"}
        assert revoked["message"] in (await say(one.data, "status")).err
        world.desks.remove(one)
        await world.until_equal()
        assert await world.events() == []
        two.switch.cut()
        line = await two.check_in(children[0])
        two.switch.restore()
        assert (await two.confirmed(line["event_id"]))["outcome"] == "applied"


def test_the_bytes_of_the_keys_are_overwritten_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    keys = new_keys("https://rollcall.example", "Desk", os.urandom)
    write_keys(path, keys)
    left_over = tmp_path / ".device.json.4711"
    left_over.write_bytes(path.read_bytes())
    with path.open("rb") as before, left_over.open("rb") as draft:
        bury_keys(path, keys, wall_ms=7)
        assert set(before.read()) == {0}
        assert set(draft.read()) == {0}
    assert [found.name for found in tmp_path.iterdir()] == ["device.json"]
    with pytest.raises(DeviceRevoked, match="was revoked"):
        read_keys(path)
