"""What a desk repairs by itself: a forked journal, a restored server, a damaged file, a clock that was set."""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2

from kiosk.clock import Clock
from kiosk.messages import DeskMessage, EntrySettled, Mark, Presence, Quarantined, Resync
from kiosk.services.desk import Desk, DeskError
from kiosk.services.enrolment import Request, enrol
from kiosk.services.inspection import inspect
from kiosk.settings import LinkSettings
from kiosk.store.errors import StorageFailed
from sync.attendance import corrected_at_ms, decode_event
from sync.errors import CloseCode
from sync.incidents import INCIDENT_KIND, Incident, decode_incident
from tests.support.kiosk_agent import AgentProcess
from tests.support.kiosk_clock import MovableClock
from tests.support.kiosk_server import ADA, BEN, CODE, ZOE, FakeServer, until

SECOND_CODE = "WXYZ-6789"
HOUR_MS = 3_600_000


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


@contextlib.asynccontextmanager
async def opened(
    folder: Path, *, clock: Clock | None = None, settings: LinkSettings | None = None
) -> AsyncIterator[Desk]:
    def luck(count: int) -> bytes:
        return b"\x01\x00\x00\x00" if count == 4 else secrets.token_bytes(count)

    desk = await Desk.open(folder, luck=luck, clock=clock, link_settings=settings)
    link = asyncio.create_task(desk.run_link())
    try:
        yield desk
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()


def is_settled(desk: Desk) -> Callable[[], object]:
    async def check() -> bool:
        return (await desk.status()).waiting == 0 and desk.is_current

    return check


async def line(desk: Desk, child_id: str) -> tuple[Presence, Mark]:
    (found,) = [one for one in await desk.roster() if one.child_id == child_id]
    return found.status, found.mark


def incidents(server: FakeServer) -> list[Incident]:
    entries = [entry for journal in server.journals.values() for entry in journal.entries]
    return [decode_incident(entry.body).incident for entry in entries if entry.kind == INCIDENT_KIND]


def recorded_ids(server: FakeServer) -> list[str]:
    return sorted(change.entity_id for change in server.changes if change.entity == "event")


async def heard(messages: AsyncIterator[DeskMessage], kind: type[DeskMessage]) -> DeskMessage:
    async with asyncio.timeout(60):
        return await anext(message async for message in messages if isinstance(message, kind))


async def test_a_clone_and_its_original_both_keep_what_they_recorded(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    await server.stop()
    clone = tmp_path / "clone"
    shutil.copytree(folder, clone)
    async with opened(folder) as desk:
        first = await desk.check_in(ADA)
        await server.start()
        await until(is_settled(desk))
        await server.stop()
    async with opened(clone) as desk:
        second = await desk.check_in(BEN)
        assert await line(desk, BEN) == (Presence.IN, Mark.RECORDED)
        messages = desk.subscribe()
        await server.start()
        await until(is_settled(desk))
        settled = await heard(messages, EntrySettled)
        assert isinstance(settled, EntrySettled)
        assert settled.event_id == second.event_id
        assert await line(desk, BEN) == (Presence.IN, Mark.CONFIRMED)
        assert await line(desk, ADA) == (Presence.IN, Mark.CONFIRMED)
    assert recorded_ids(server) == sorted([first.event_id, second.event_id])
    assert incidents(server) == [Incident.JOURNAL_FORKED]


async def test_a_server_restored_from_an_older_backup_gets_back_what_desks_still_hold(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    await enrol(Request(server=server.url, code=SECOND_CODE, data_dir=other, name="Back"), lambda _: None)
    async with opened(folder) as desk:
        mine = await desk.check_in(ADA)
        async with opened(other) as back:
            theirs = await back.check_in(BEN)
            await until(is_settled(back))
        await until(is_settled(desk))
        await until(lambda: is_in(desk, BEN))
        shutil.rmtree(other)  # that desk never comes back
        messages = desk.subscribe()
        await server.stop()
        server.begin_anew_without(mine.event_id, theirs.event_id)
        server.forget_journals(after_seq=0)
        assert recorded_ids(server) == []
        await server.start()
        await heard(messages, Resync)
        await until(is_settled(desk))
        assert recorded_ids(server) == sorted([mine.event_id, theirs.event_id])
        assert await line(desk, ADA) == (Presence.IN, Mark.CONFIRMED)
        assert await line(desk, BEN) == (Presence.IN, Mark.CONFIRMED)
        told = [one.event_id for one in await desk.settled_untold()]
        assert told == [mine.event_id], "what this desk has only seen elsewhere is nothing it recorded"
    assert Incident.RECONCILED in incidents(server)


async def is_in(desk: Desk, child_id: str) -> bool:
    return (await line(desk, child_id))[0] is Presence.IN


@pytest.mark.parametrize("lives", ["the same life", "another life"])
async def test_an_answer_that_the_server_took_back_shows_as_recorded_until_it_comes_again(
    server: FakeServer, folder: Path, lives: str
) -> None:
    async with opened(folder) as desk:
        recorded = await desk.check_in(ADA)
        await until(is_settled(desk))
        await server.stop()
        if lives == "another life":
            server.begin_anew_without(recorded.event_id)
        server.forget_journals(after_seq=0)
        server.stores_nothing = True
        await server.start()
        await until(lambda: line_marked(desk, ADA, Mark.RECORDED))
        assert (await desk.status()).waiting >= 1
        server.stores_nothing = False
        await until(lambda: line_marked(desk, ADA, Mark.CONFIRMED))
    assert recorded_ids(server) == [recorded.event_id]


async def line_marked(desk: Desk, child_id: str, mark: Mark) -> bool:
    return (await line(desk, child_id))[1] is mark


# -- damaged files


async def test_a_desk_whose_file_is_ruined_saves_its_entries_and_starts_without_a_person(
    server: FakeServer, folder: Path
) -> None:
    await server.stop()
    async with opened(folder) as desk:
        recorded = [(await desk.check_in(child)).event_id for child in (ADA, BEN)]
    ruin(folder / "replica.db")
    process = await AgentProcess.start(folder)
    try:
        assert (await process.heard(event="ready"))["waiting"] >= 2
        found = await process.heard(event="quarantined")
        assert (found["waiting"], found["lost"]) == (2, 0)
        assert Path(found["folder"]).is_dir()
        await server.start()
        confirmed = {(await process.heard(event="confirmed"))["event_id"] for _ in recorded}
        assert confirmed == set(recorded)
        assert await children_in(process) == {ADA, BEN}
        await process.send({"do": "quit"})
        assert (await process.ended())[0] == 0
    finally:
        await process.kill()
    assert recorded_ids(server) == sorted(recorded)
    assert Incident.REPLICA_QUARANTINED in incidents(server)
    async with opened(folder) as desk:
        assert desk.quarantined is None


async def test_a_desk_that_meets_damage_in_the_middle_of_its_work_repairs_itself_and_goes_on(
    server: FakeServer, folder: Path
) -> None:
    async with opened(folder) as desk:
        await until(is_settled(desk))
        await server.stop()
        recorded = await desk.check_in(ADA)
        messages = desk.subscribe()
        database = desk._replica.database

        def damage() -> None:
            database._give_up()  # the machine reads the file anew, and not its memory of it
            ruin(folder / "replica.db")

        await database.run(damage)
        with pytest.raises(DeskError) as refusal:
            await desk.check_in(BEN)
        assert refusal.value.code == "replica_unreadable"
        found = await heard(messages, Quarantined)
        assert isinstance(found, Quarantined)
        assert (found.waiting, found.lost) == (1, 0)
        await server.start()
        await until(is_settled(desk))
        assert await line(desk, ADA) == (Presence.IN, Mark.CONFIRMED)
        await desk.check_in(BEN)
        await until(is_settled(desk))
    assert recorded.event_id in recorded_ids(server)
    assert len(recorded_ids(server)) == 2


async def children_in(process: AgentProcess) -> set[str]:
    """Who is in, once the new replica is filled."""
    children: list[dict[str, str]] = []
    while not children:
        await process.send({"do": "roster"})
        children = (await process.heard(event="roster"))["children"]
    return {child["child_id"] for child in children if child["status"] == "in"}


def ruin(path: Path) -> None:
    """Damage the first page, without which no database opens."""
    content = bytearray(path.read_bytes())
    content[100:200] = bytes(100)
    path.write_bytes(content)


async def test_a_replica_of_other_keys_is_left_alone_and_nothing_is_sent(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    async with opened(folder) as desk:
        await until(is_settled(desk))
    other = tmp_path / "other"
    await enrol(Request(server=server.url, code=SECOND_CODE, data_dir=other), lambda _: None)
    own_keys = (folder / "device.json").read_bytes()
    before = (folder / "replica.db").read_bytes()
    shutil.copy(other / "device.json", folder / "device.json")
    with pytest.raises(DeskError, match="other keys") as refusal:
        await Desk.open(folder)
    assert refusal.value.code == "wrong_keys"
    (folder / "device.json").unlink()
    for read in (Desk.open, inspect):
        with pytest.raises(DeskError, match="there is no device") as refusal:
            await read(folder)
        assert refusal.value.code == "wrong_keys"
    with pytest.raises(DeskError) as refusal:
        await enrol(Request(server=server.url, code=SECOND_CODE, data_dir=folder), lambda _: None)
    assert refusal.value.code == "wrong_keys"
    assert (folder / "replica.db").read_bytes() == before
    assert not (folder / "quarantine").exists()
    (folder / "device.json").write_bytes(own_keys)
    async with opened(folder) as desk:
        assert len(await desk.roster()) == 4


# -- time


async def test_a_clock_that_was_set_and_a_lease_that_ended_are_told_once(server: FakeServer, folder: Path) -> None:
    server.lease_ms = HOUR_MS
    clock = MovableClock()
    async with opened(folder, clock=clock, settings=LinkSettings(round_interval_ms=20)) as desk:
        await until(is_settled(desk))
        assert (await desk.status()).lease_left_ms is not None
        await server.stop()
        clock.step_ms(-10 * 60_000)
        await desk.check_in(ADA)
        clock.step_ms(-10 * 60_000)  # within the hour: told together with the next
        await desk.check_in(BEN)
        clock.pass_ms(2 * HOUR_MS)
        await until(lambda: is_locked(desk))
        await desk.check_in(ZOE)
        await until(waits_with(desk, 6))
        await server.start()
        await until(is_settled(desk))
        assert not await is_locked(desk)
    assert sorted(incidents(server)) == [Incident.CLOCK_STEPPED, Incident.CLOCK_STEPPED, Incident.LEASE_EXPIRED]
    facts = [decode_event(bytes(record.event)) for record in server.events()]
    assert len(facts) == 2
    assert max(abs(corrected_at_ms(fact) - server.clock_ms) for fact in facts) < 5 * 60_000, "each has its true time"
    bodies = [entry.body for journal in server.journals.values() for entry in journal.entries]
    assert [b'"after_lease":true' in body for body in bodies if ZOE.encode() in body] == [True]


def waits_with(desk: Desk, entries: int) -> Callable[[], object]:
    """Whether so many entries wait; the rounds of the desk write down what they notice a moment later."""

    async def check() -> bool:
        return (await desk.status()).waiting == entries

    return check


async def is_locked(desk: Desk) -> bool:
    return (await desk.status()).locked


# -- the link


async def test_a_link_proves_itself_again_before_its_token_ends(server: FakeServer, folder: Path) -> None:
    server.good_for_ms = 2_000
    async with opened(folder) as desk:
        await until(lambda: len(server.proofs) >= 2)
        assert set(server.proofs) == {True}
        assert desk.is_current


async def test_a_server_of_protocol_1_is_served_as_before(server: FakeServer, folder: Path) -> None:
    server.protocol_max = 1
    async with opened(folder) as desk:
        recorded = await desk.check_in(ADA)
        await until(is_settled(desk))
        messages = desk.subscribe()
        await server.stop()
        server.begin_anew_without(recorded.event_id)
        server.forget_journals(after_seq=0)
        await server.start()
        await heard(messages, Resync)
        await until(is_settled(desk))
        await until(lambda: line_marked(desk, ADA, Mark.CONFIRMED))
    assert recorded_ids(server) == [recorded.event_id]


async def test_a_desk_that_is_told_of_its_revocation_dials_again_soon(server: FakeServer, folder: Path) -> None:
    server.close_with = CloseCode.REVOKED
    async with opened(folder) as desk:
        await until(lambda: server.refused >= 2)
        server.close_with = None
        await until(is_settled(desk))


async def test_what_a_failing_disk_kept_all_the_same_shows_on_the_roster_and_is_sent(
    server: FakeServer, folder: Path
) -> None:
    """COMMIT takes effect and reports a failure, and the file cannot be opened to look: the desk says it failed."""
    async with opened(folder) as desk:
        await until(is_settled(desk))
        messages = desk.subscribe()
        database = desk._replica.database
        database._connection = FailsAfterCommit(database._connection)
        database._connect = fails_once(database._connect)
        with pytest.raises(DeskError) as refused:
            await desk.check_in(ADA)
        assert refused.value.code == "storage_failed"
        await heard(messages, Resync)
        await until(lambda: len(server.events()) == 1)
        await until(is_settled(desk))
        assert await line(desk, ADA) == (Presence.IN, Mark.CONFIRMED)


class FailsAfterCommit:
    """A connection whose COMMIT takes effect and then reports that the disk failed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        answer = self._connection.execute(sql, parameters)
        if sql == "COMMIT":
            raise dbapi2.OperationalError("disk I/O error")
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def fails_once(connect: Callable[[], Any]) -> Callable[[], Any]:
    """The first opening fails, as it does while a disk is away."""
    failures = iter((StorageFailed("the disk failed"),))

    def connect_or_fail() -> Any:
        for failure in failures:
            raise failure
        return connect()

    return connect_or_fail
