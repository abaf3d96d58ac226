"""The door of a real desk: PINs with durable tries, families in one transaction, releases, undo and family codes."""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.keys import read_keys
from kiosk.messages import Presence
from kiosk.services.counter import Counter
from kiosk.services.desk import Desk, DeskError, Wish
from kiosk.services.door import DoorMode
from kiosk.services.enrolment import Request, enrol
from kiosk.services.pins import stretched
from kiosk.services.release import Refusal, Release
from kiosk.store.pin_attempts import PinAttempts, Tries
from sync.attendance import AttendanceEvent, EventKind, decode_event
from sync.barcodes import seal_of
from sync.family_code import FamilyCode, code_text
from sync.pins import pepper_id, sealed
from sync.records import CredentialRecord, Entity, PickupRecord, StaffRecord
from tests.support.faces import face, face_record
from tests.support.kiosk_clock import MovableClock
from tests.support.kiosk_server import ADA, BEN, BLOCKED, CODE, MOTHER, ZOE, FakeServer, until

RUTH, SAM = "018f0000-0000-7000-8000-0000000000d1", "018f0000-0000-7000-8000-0000000000d2"
PIN, OTHER_PIN, WRONG = "483920", "720391", "592746"
PEPPER, KEY = b"p" * 32, Ed25519PrivateKey.generate()


def text_of(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def give_pin(server: FakeServer, person_id: str, name: str, pin: str) -> None:
    salt = secrets.token_bytes(16)
    record = sealed(stretched(pin, salt), salt, PEPPER, set_at_ms=1)
    server.put(Entity.STAFF, person_id, StaffRecord(given_name=name, family_name="X", role="educator", pin=record))


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    server.fill()
    for number, child_id in enumerate((BEN, ZOE)):
        pickup = PickupRecord(child_id=child_id, adult_id=MOTHER, status="authorised", legal_guardian=True)
        server.put(Entity.PICKUP, f"018f0000-0000-7000-8000-0000000000e{number}", pickup)
    async with server.running():
        yield server


@contextlib.asynccontextmanager
async def opened(folder: Path, clock: MovableClock) -> AsyncIterator[Desk]:
    def luck(count: int) -> bytes:
        return b"\x01\x00\x00\x00" if count == 4 else secrets.token_bytes(count)

    desk = await Desk.open(folder, luck=luck, clock=clock)
    link = asyncio.create_task(desk.run_link())
    try:
        yield desk
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()


async def refused(desk: Desk, person_id: str, pin: str) -> str:
    with pytest.raises(DeskError) as refusal:
        await desk.door.unlock(person_id, pin)
    return f"{refusal.value.code}: {refusal.value.message}"


async def set_tries(desk: Desk, tries: Tries) -> None:
    def write() -> None:
        with desk._replica.database.transaction():
            PinAttempts(desk._replica.database).write(RUTH, tries)

    await desk._replica.database.run(write)


async def event(desk: Desk, event_id: str) -> AttendanceEvent:
    entry = await desk._replica.database.run(lambda: desk._replica.journal.find(event_id))
    assert entry is not None
    return decode_event(entry.body.encode())


async def test_a_desk_opens_by_pin_and_counts_wrong_ones_whatever_is_restarted(
    server: FakeServer, tmp_path: Path
) -> None:
    folder, clock = tmp_path / "desk", MovableClock()
    give_pin(server, RUTH, "Ruth", PIN)
    await enrol(Request(server=server.url, code=CODE, data_dir=folder, name="Front door"), lambda _: None)
    async with opened(folder, clock) as desk:  # a server that has no door keys yet: the desk is open, and says so
        assert desk.door.state().mode is DoorMode.NOT_CHECKABLE
        assert desk.door.staff() == ()
    server.door_keys = {"pin_pepper": text_of(PEPPER), "family_key": text_of(KEY.public_key().public_bytes_raw())}
    async with opened(folder, clock) as desk:  # it fetches them by itself, and keeps them
        await until(lambda: desk.door.state().mode is DoorMode.LOCKED)
        keys = read_keys(folder / "device.json")
        assert keys is not None
        assert keys.pin_pepper == PEPPER
        assert "bad_input" in await refused(desk, RUTH, "12ab")
        assert "unknown_staff" in await refused(desk, SAM, PIN)
        assert "pin_wrong: That is not the PIN. 9 more tries." in await refused(desk, RUTH, WRONG)
    async with opened(folder, clock) as desk:
        assert "8 more tries." in await refused(desk, RUTH, WRONG)
        salt = desk.door._pin(RUTH).salt  # type: ignore[union-attr]
        await set_tries(desk, Tries(salt, failures=4))
        assert "5 more tries." in await refused(desk, RUTH, WRONG)
        assert "wait" in await refused(desk, RUTH, PIN)
    clock.step_ms(-3_600_000)  # a clock that is set back, and a restart, shorten nothing
    async with opened(folder, clock) as desk:
        assert "pin_wait" in await refused(desk, RUTH, PIN)
        clock.pass_ms(30_000)
        assert (await desk.door.unlock(RUTH, PIN)).staff_name == "Ruth X"
        recorded = await desk.counter.arrive([ADA])
        assert (await event(desk, recorded[0].event_id)).staff_id == RUTH
        clock.pass_ms(119_000)
        desk.door.touch()
        clock.pass_ms(119_000)
        assert desk.door.state().mode is DoorMode.UNLOCKED
        clock.pass_ms(1_000)
        assert desk.door.state().mode is DoorMode.LOCKED

        await set_tries(desk, Tries(salt, failures=9))
        assert "pin_locked" in await refused(desk, RUTH, WRONG)
        clock.pass_ms(86_400_000)
        assert "pin_locked" in await refused(desk, RUTH, PIN)
        give_pin(server, RUTH, "Ruth", OTHER_PIN)
        await until(lambda: desk.door._pin(RUTH).salt != salt)  # type: ignore[union-attr]
        await desk.door.unlock(RUTH, OTHER_PIN)
        server.put(Entity.STAFF, RUTH, StaffRecord(given_name="Ruth", family_name="X", role="educator"))
        await until(lambda: desk.door.state().mode is DoorMode.NO_PINS)  # and whoever was at it is not any more
        assert desk.door._by is None


def give_cards(server: FakeServer) -> None:
    """Cards of the mother and of Ben, one that was blocked, one of somebody who may collect nobody; and Ben's photo."""
    give_pin(server, SAM, "Sam", OTHER_PIN)
    held = {"4012345678901": MOTHER, "BEN7": BEN, "LOST-1": MOTHER, "NOBODY-1": RUTH}
    for number, (text, person_id) in enumerate(held.items()):
        revoked = {"revoked_at_ms": 1} if text == "LOST-1" else {}
        card = CredentialRecord(
            kind="barcode", person_id=person_id, seal=seal_of(text, PEPPER), pepper_id=pepper_id(PEPPER), **revoked
        )
        server.put(Entity.CREDENTIAL, f"018f0000-0000-7000-8000-0000000000f{number}", card)
    server.put(Entity.PICTURE, BEN, face_record())


async def cards_are_read_and_said_to_be_blocked(desk: Desk, counter: Counter) -> None:
    found = counter.scan("4012345678901")
    assert (found.adult_id, found.method) == (MOTHER, "barcode")
    assert {BEN, ZOE} <= {line.child_id for line in found.lines}
    assert [line.child_id for line in counter.scan("BEN7").lines] == [BEN]
    assert counter.scan("BEN7").adult_id == ""
    for text, words in (("LOST-1", "blocked"), ("LOST-2", "not known here"), ("NOBODY-1", "may collect no child")):
        with pytest.raises(DeskError, match=words):
            counter.scan(text)
    kept = "".join(record.body for record in desk._replica.records.all())
    assert not any(text in kept for text in ("4012345678901", "BEN7", "LOST-1"))
    assert counter.picture(BEN) == face()
    assert counter.picture(ZOE) is None


async def test_a_family_comes_and_goes_as_one_and_the_last_entry_is_taken_back(
    server: FakeServer, tmp_path: Path
) -> None:
    folder, clock = tmp_path / "desk", MovableClock()
    server.door_keys = {"pin_pepper": text_of(PEPPER), "family_key": text_of(KEY.public_key().public_bytes_raw())}
    give_pin(server, RUTH, "Ruth", PIN)
    give_cards(server)
    await enrol(Request(server=server.url, code=CODE, data_dir=folder, name="Front door"), lambda _: None)
    async with opened(folder, clock) as desk:
        await desk.door.unlock(RUTH, PIN)
        counter = desk.counter

        async def inside() -> set[str]:
            return {line.child_id for line in await desk.roster() if line.status is Presence.IN}

        await cards_are_read_and_said_to_be_blocked(desk, counter)
        code = FamilyCode(server.center_id, MOTHER, clock.wall_ms() // 1_000 + 60, b"12345678")
        scanned = counter.scan(code_text(code, KEY.sign(code.to_sign())))
        family = [line.child_id for line in scanned.lines]
        assert {BEN, ZOE} <= set(family)
        assert {one.line.child_id for one in counter.family(BEN) if one.chosen} == set(family)
        await counter.arrive(family)
        assert await inside() == set(family)
        with pytest.raises(DeskError, match="is in since"):
            await counter.arrive([family[0]])
        assert len(await counter.undo()) == len(family)
        assert await inside() == set()
        with pytest.raises(DeskError, match="nothing to take back"):
            await counter.undo()
        # No clock is moved before the last departure: the link would tell the desk by how much, in the middle of it.
        await counter.arrive(family)

        # One that no server would take leaves none of those beside it.
        good = Wish(kind=EventKind.VISITOR_IN, person_id=SAM, person_name="Plumber")
        with pytest.raises(DeskError) as refusal:
            await desk.record(good, Wish(kind=EventKind.VISITOR_IN, person_id=RUTH, person_name="\x00"))
        assert refusal.value.code == "bad_input"
        assert len(await desk.record(good, good)) == 2
        await until(lambda: desk._following.knowledge.waiting() == 0)

        for release, code_ in (
            (Release(adult_id=BLOCKED), "not_authorised"),
            (Release(adult_id=SAM), "unknown_adult"),
        ):
            with pytest.raises(DeskError) as refusal:
                await counter.release([BEN], release)
            assert refusal.value.code == code_
        assert await inside() == set(family)
        (note,) = await counter.refuse([BEN], Refusal(adult_name="J Doe", reason_code="unfit", reason="smells"))
        said = await event(desk, note.event_id)
        assert (said.kind, said.adult_name, said.reason_code, said.staff_id) == (
            EventKind.RELEASE_REFUSED, "J Doe", "unfit", RUTH,
        )  # fmt: skip
        gone = await counter.release([BEN, ZOE], Release(adult_id=MOTHER, identity_check="photo_id"))
        said = await event(desk, gone[1].event_id)
        assert (said.adult_id, said.identity_check, said.warnings) == (MOTHER, "photo_id", ())
        assert not {BEN, ZOE} & await inside()
        assert counter.undoable() is not None
        clock.pass_ms(60_000)
        assert counter.undoable() is None


async def test_a_near_match_goes_on_only_by_a_second_persons_pin_and_an_old_list_is_told(
    server: FakeServer, tmp_path: Path
) -> None:
    folder, clock = tmp_path / "desk", MovableClock()
    server.door_keys = {"pin_pepper": text_of(PEPPER), "family_key": text_of(KEY.public_key().public_bytes_raw())}
    give_pin(server, RUTH, "Ruth", PIN)
    give_pin(server, SAM, "Sam", OTHER_PIN)
    await enrol(Request(server=server.url, code=CODE, data_dir=folder, name="Front door"), lambda _: None)
    await server.stop()
    async with opened(folder, clock) as desk:
        await desk.door.unlock(RUTH, PIN)
        await desk.counter.arrive([BEN])
        blocked = next(one for one in await desk.collectors(BEN) if one.adult_id == BLOCKED)
        near = f"{blocked.name[0]} {blocked.name.split()[-1]}"
        clock.pass_ms(13 * 3_600_000)
        await desk.door.unlock(RUTH, PIN)
        with pytest.raises(DeskError) as refusal:
            await desk.counter.release([BEN], Release(adult_name=near, reason="this is somebody else"))
        assert refusal.value.code == "needs_second_person"
        with pytest.raises(DeskError) as refusal:
            await desk.door.approve(RUTH, PIN)
        assert refusal.value.code == "same_person"
        approval = await desk.door.approve(SAM, OTHER_PIN)
        release = Release(adult_name=near, reason="this is somebody else", approval=approval)
        (gone,) = await desk.counter.release([BEN], release)
        said = await event(desk, gone.event_id)
        assert (said.staff_id, said.reason_code, said.reason) == (RUTH, "override", "this is somebody else")
        assert said.warnings == ("near_blocked_name", "list_old")
        assert SAM in said.note
        assert not desk.door.knows(approval)  # good once
