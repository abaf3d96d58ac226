"""A journal that travels by hand: out of a desk in any state, into a real server, and never doubled."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.services.desk import Desk
from kiosk.services.enrolment import Request, enrol
from sync.incidents import INCIDENT_KIND
from sync.journal import Entry
from sync.journal_file import FileHeader, JournalFileReader
from tests.support.kiosk_server import ADA, BEN, CODE, TWIN, ZOE, FakeServer, until
from tests.support.programs import Said, said_by
from tests.support.world import running_world


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    server.fill()
    async with server.running():
        yield server


@pytest.fixture
async def folder(server: FakeServer, tmp_path: Path) -> Path:
    await enrol(Request(server=server.url, code=CODE, data_dir=tmp_path / "desk", name="Front door"), lambda _: None)
    return tmp_path / "desk"


async def export(folder: Path, file: Path, *more: str) -> Said:
    return await said_by("kiosk", "export", str(file), "--data", str(folder), *more)


def read(file: Path) -> tuple[FileHeader, list[Entry]]:
    reader = JournalFileReader(_verify)
    entries = [reader.take(line) for line in file.read_bytes().splitlines(keepends=True)]
    return reader.finish(), [entry for entry in entries if entry is not None]


def _verify(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


async def record(folder: Path, *children: str) -> list[str]:
    """Check children in with no network."""
    desk = await Desk.open(folder)
    try:
        return [(await desk.check_in(child)).event_id for child in children]
    finally:
        await desk.close()


async def deliver(folder: Path) -> None:
    """Let the desk reach its server once."""
    desk = await Desk.open(folder)
    link = asyncio.create_task(desk.run_link())

    async def is_told() -> bool:
        return (await desk.status()).waiting == 0 and desk.is_current

    try:
        await until(is_told)
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()


async def test_what_waits_is_exported_and_with_all_everything_that_is_kept(folder: Path, tmp_path: Path) -> None:
    answered = await record(folder, ADA)
    await deliver(folder)
    waiting = await record(folder, BEN, ZOE)
    file, everything = tmp_path / "waiting.jsonl", tmp_path / "all.jsonl"
    found = await export(folder, file)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("2 entries of 1 journals written to ")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await export(folder, everything, "--all")).status == 0
    header, entries = read(file)
    assert [entry.event_id for entry in entries] == waiting
    assert (header.journals[0].first_seq, header.journals[0].last_seq) == (2, 3)
    assert [entry.event_id for entry in read(everything)[1]] == answered + waiting


async def test_a_desk_with_nothing_to_say_exports_an_empty_file(folder: Path, tmp_path: Path) -> None:
    found = await export(folder, tmp_path / "none.jsonl")
    assert found.status == 0
    assert found.out.startswith("0 entries")
    assert read(tmp_path / "none.jsonl")[1] == []


async def test_an_export_works_beside_the_program_that_uses_the_desk(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    await server.stop()
    desk = await Desk.open(folder)
    try:
        recorded = await desk.check_in(ADA)
        assert (await export(folder, tmp_path / "now.jsonl")).status == 0
        after = await desk.check_in(BEN)
        assert (await desk.status()).waiting == 2
    finally:
        await desk.close()
    assert [entry.event_id for entry in read(tmp_path / "now.jsonl")[1]] == [recorded.event_id]
    assert after.event_id != recorded.event_id


async def test_a_file_that_is_there_is_only_replaced_by_force_and_a_bad_place_is_said(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text("mine")
    found = await export(folder, file)
    assert (found.status, "--force" in found.err) == (1, True)
    assert file.read_text() == "mine"
    assert (await export(folder, file, "--force")).status == 0
    assert read(file)[1] == []
    nowhere = await export(folder, tmp_path / "nowhere" / "journal.jsonl")
    assert (nowhere.status, "cannot be written" in nowhere.err) == (1, True)
    assert "Traceback" not in nowhere.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk", "journal.jsonl"]


async def test_a_damaged_replica_gives_what_can_be_proved(server: FakeServer, folder: Path, tmp_path: Path) -> None:
    await server.stop()
    waiting = await record(folder, ADA, BEN, ZOE, TWIN)
    content = bytearray((folder / "replica.db").read_bytes())
    content[100:200] = bytes(100)
    (folder / "replica.db").write_bytes(content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = await export(folder, tmp_path / "saved.jsonl")
    assert (found.status, "The replica is damaged" in found.out) == (0, True)
    assert [entry.event_id for entry in read(tmp_path / "saved.jsonl")[1]] == waiting
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "an export changes nothing"


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_a_desk_without_a_network_is_healed_by_hand_and_nothing_is_doubled_when_the_network_is_back(
    tmp_path: Path,
) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = [child["child_id"] for child in (await one.ask("roster"))["children"]][:3]
        one.switch.cut()
        recorded = [await one.check_in(child) for child in children]
        assert (await one.ask("status"))["waiting"] == 3
        file = tmp_path / "journal.jsonl"
        assert (await export(one.data, file)).status == 0
        await world.command("import-journal", str(file))
        for line in recorded:
            event_id = line["event_id"]
            await two.until(lambda heard, wanted=event_id: heard.get("event_id") == wanted)  # type: ignore[misc]
        present = {child["child_id"] for child in (await world.attendance())["children"] if child["status"] == "in"}
        assert present == set(children)
        one.switch.restore()
        for line in recorded:
            assert (await one.confirmed(line["event_id"]))["outcome"] in {"applied", "duplicate"}
        await world.until_equal()
        events = [event["event_id"] for event in await world.events()]
        assert sorted(events) == sorted(line["event_id"] for line in recorded)
        again = await world.command("import-journal", str(file))
        assert again
        await world.until_equal()
        assert len(await world.events()) == len(recorded)


async def test_what_a_desk_says_of_itself_travels_too(server: FakeServer, folder: Path, tmp_path: Path) -> None:
    await server.stop()
    clone = tmp_path / "clone"
    shutil.copytree(folder, clone)
    await record(folder, ADA)
    await server.start()
    await deliver(folder)
    await server.stop()
    waiting = await record(clone, BEN)
    await server.start()
    await deliver(clone)
    assert (await export(clone, tmp_path / "all.jsonl", "--all")).status == 0
    header, entries = read(tmp_path / "all.jsonl")
    assert [entry.kind for entry in entries] == ["check_in", INCIDENT_KIND]
    assert entries[0].event_id == waiting[0]
    assert len(header.journals) == 1
