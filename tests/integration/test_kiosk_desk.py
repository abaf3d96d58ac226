"""A desk with real files and a real socket: enrols, works offline, is healed, and says clearly what is wrong."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kiosk.keys import read_keys
from kiosk.messages import ChildChanged, DeskMessage, EntrySettled, LinkPhase, Mark, Presence
from kiosk.services.desk import Desk, DeskError, RosterLine
from kiosk.services.enrolment import Request, enrol
from kiosk.services.roster import search
from kiosk.settings import DataFolder
from sync.errors import CloseCode
from sync.journal import Outcome, ParkReason
from tests.support.kiosk_server import ADA, BEN, BLOCKED, CODE, MOTHER, TWIN, ZOE, FakeServer, until

SECOND_CODE = "WXYZ-6789"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    server.fill()
    server.codes[SECOND_CODE] = ""
    async with server.running():
        yield server


def request(server: FakeServer, folder: Path, code: str = CODE, *, roster_timeout_ms: int = 120_000) -> Request:
    return Request(
        server=server.url, code=code, data_dir=folder, name="Front door", roster_timeout_ms=roster_timeout_ms
    )


@contextlib.asynccontextmanager
async def opened(folder: Path, *, linked: bool = True) -> AsyncIterator[Desk]:
    def luck(count: int) -> bytes:
        return b"\x01\x00\x00\x00" if count == 4 else secrets.token_bytes(count)

    desk = await Desk.open(folder, luck=luck)
    link = asyncio.create_task(desk.run_link()) if linked else None
    try:
        yield desk
    finally:
        if link is not None:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
        await desk.close()


@pytest.fixture
async def folder(server: FakeServer, tmp_path: Path) -> Path:
    await enrol(request(server, tmp_path / "desk"), lambda _: None)
    return tmp_path / "desk"


async def line_of(desk: Desk, child_id: str) -> RosterLine:
    (found,) = [one for one in await desk.roster() if one.child_id == child_id]
    return found


async def line(desk: Desk, child_id: str) -> tuple[Presence, Mark]:
    found = await line_of(desk, child_id)
    return found.status, found.mark


def is_settled(desk: Desk) -> Callable[[], object]:
    async def check() -> bool:
        status = await desk.status()
        return status.waiting == 0 and desk.is_current

    return check


async def test_enrolment_shows_its_progress_and_ends_with_a_full_roster(server: FakeServer, tmp_path: Path) -> None:
    said: list[str] = []
    keys = await enrol(request(server, tmp_path / "desk"), said.append)
    assert keys.center_name == "Oak House"
    assert said[-1].startswith("Ready")
    assert any("part 2 of 4" in text for text in said)
    assert (tmp_path / "desk" / "device.json").stat().st_mode & 0o777 == 0o600
    async with opened(tmp_path / "desk", linked=False) as desk:
        assert [one.display_name for one in await desk.roster()] == ["Ada Abel", "Ada Abel", "Ben Brook", "Zoé Żółć"]


async def test_a_desk_is_ready_only_with_all_that_it_needs_however_often_the_link_is_cut(
    server: FakeServer, tmp_path: Path
) -> None:
    """Cut in the middle of the snapshot nothing of it is shown; without the keys of PINs it is not ready either."""
    said: list[str] = []
    folder = tmp_path / "desk"
    server.cut_after_frames = 4  # the welcome, and three parts of four
    server.door_keys = {"pin_pepper": "cHBw" * 10 + "cHA", "family_key": "ZmZm" * 10 + "ZmY"}  # 32 bytes each
    with pytest.raises(DeskError) as refusal:
        await enrol(request(server, folder, roster_timeout_ms=2_500), said.append)
    assert (refusal.value.code, "the roster has not come yet" in refusal.value.message) == ("roster_missing", True)
    assert server.cut_after_frames == 1  # it was cut
    assert not any("part 4 of 4" in text or text.startswith("Ready") for text in said)
    async with opened(folder, linked=False) as desk:
        assert not desk.is_current
        assert await desk.roster() == ()
    server.cut_after_frames = 0
    async with opened(folder) as desk:
        await until(lambda: desk.is_current and desk.keyring.pepper())
        assert {one.display_name for one in await desk.roster()} == {"Ada Abel", "Ben Brook", "Zoé Żółć"}
        assert [alert.text for alert in (await line_of(desk, ADA)).alerts] == ["Nuts"]
        assert {one.adult_id for one in await desk.collectors(BEN)} == {MOTHER, BLOCKED}

    server.lose_door_keys = 2
    said.clear()
    keys = await enrol(request(server, tmp_path / "second", SECOND_CODE), said.append)
    assert said.count("Waiting: keys for PINs and family codes") == 2
    assert said[-1].startswith("Ready")
    kept = read_keys(DataFolder(tmp_path / "second").keys)
    assert kept is not None
    assert kept.pin_pepper == b"p" * 32
    assert keys.center_name == "Oak House"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ZZZZ-9999", "enrolment_code_wrong"), ("short", "bad_input"), (CODE, "enrolment_code_used")],
)
async def test_a_code_that_does_not_serve_is_refused_clearly(
    server: FakeServer, tmp_path: Path, code: str, expected: str
) -> None:
    await enrol(request(server, tmp_path / "first"), lambda _: None)
    with pytest.raises(DeskError) as refusal:
        await enrol(request(server, tmp_path / "second", code), lambda _: None)
    assert refusal.value.code == expected


async def test_a_lost_answer_is_repeated_with_the_same_key(server: FakeServer, tmp_path: Path) -> None:
    server.lose_enrolment_answers = 1
    with pytest.raises(DeskError) as refusal:
        await enrol(request(server, tmp_path / "desk"), lambda _: None)
    assert refusal.value.code == "server_unreachable"
    await enrol(request(server, tmp_path / "desk"), lambda _: None)
    assert len(server.devices) == 1


async def test_a_folder_that_is_enrolled_is_not_enrolled_again(server: FakeServer, folder: Path) -> None:
    before = read_keys(folder / "device.json")
    with pytest.raises(DeskError) as refusal:
        await enrol(request(server, folder, SECOND_CODE), lambda _: None)
    assert refusal.value.code == "already_enrolled"
    assert read_keys(folder / "device.json") == before


@pytest.mark.parametrize(
    ("address", "expected"), [("ftp://nowhere", "bad_input"), ("http://127.0.0.1:9", "server_unreachable")]
)
async def test_a_wrong_address_is_refused_clearly(tmp_path: Path, address: str, expected: str) -> None:
    with pytest.raises(DeskError) as refusal:
        await enrol(Request(server=address, code=CODE, data_dir=tmp_path), lambda _: None)
    assert refusal.value.code == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<p>Welcome</p>",
        b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_a_captive_portal_is_no_server_and_gets_no_credential(tmp_path: Path, answer: bytes) -> None:
    heard: list[bytes] = []

    async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(portal, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        with pytest.raises(DeskError) as refusal:
            await enrol(Request(server=f"http://127.0.0.1:{port}", code=CODE, data_dir=tmp_path), lambda _: None)
    assert refusal.value.code == "not_rollcall"
    assert not any(b"Bearer" in text for text in heard)


async def test_a_folder_without_a_desk_and_a_folder_in_use_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DeskError) as refusal:
        await Desk.open(tmp_path / "nothing")
    assert refusal.value.code == "not_enrolled"
    async with opened(folder, linked=False):
        with pytest.raises(DeskError) as refusal:
            await Desk.open(folder)
        assert refusal.value.code == "replica_in_use"
    async with opened(folder, linked=False):
        pass


async def test_a_check_in_made_offline_arrives_once_with_its_own_time(server: FakeServer, folder: Path) -> None:
    await server.stop()
    async with opened(folder) as desk:
        recorded = await desk.check_in(ADA)
        assert await line(desk, ADA) == (Presence.IN, Mark.RECORDED)
        await until(lambda: desk._following.link.phase is LinkPhase.OFFLINE)
        assert (await desk.status()).waiting == 1
    async with opened(folder) as desk:
        assert await line(desk, ADA) == (Presence.IN, Mark.RECORDED)
        await server.start()
        await until(is_settled(desk))
        assert await line(desk, ADA) == (Presence.IN, Mark.CONFIRMED)
    (event,) = server.events()
    assert recorded.event_id.encode() in bytes(event.event)
    assert str(recorded.occurred_at_ms).encode() in bytes(event.event)


async def test_a_lost_acknowledgement_is_asked_for_again_and_nothing_is_stored_twice(
    server: FakeServer, folder: Path
) -> None:
    server.lose_acknowledgements = 1
    async with opened(folder) as desk:
        messages = desk.subscribe()
        recorded = await desk.check_in(ADA)
        await until(is_settled(desk))
        assert len(server.events()) == 1
        settled = [one for one in await drained(messages) if isinstance(one, EntrySettled)]
        assert [one.event_id for one in settled] == [recorded.event_id]
        assert await desk.settled_untold() == tuple(settled)
        await desk.mark_told(settled[-1].answer)
        assert await desk.settled_untold() == ()


async def drained(messages: AsyncIterator[DeskMessage]) -> list[DeskMessage]:
    found: list[DeskMessage] = []
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.2):
                found.append(await anext(messages))
    return found


async def test_what_one_desk_records_appears_once_on_the_other(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    await enrol(request(server, tmp_path / "other", SECOND_CODE), lambda _: None)
    async with opened(folder) as front, opened(tmp_path / "other") as back:
        await until(is_settled(back))
        messages = back.subscribe()
        recorded = await front.check_in(BEN)
        await until(lambda: line_is(back, BEN, Presence.IN))
        changes = [one for one in await drained(messages) if isinstance(one, ChildChanged)]
        assert [(one.event_id, one.own, one.status) for one in changes] == [(recorded.event_id, False, Presence.IN)]
        with pytest.raises(DeskError, match="is in since") as refusal:
            await back.check_in(BEN)
        assert refusal.value.code == "already_in"
        await back.check_out(BEN, adult_id=MOTHER)
        await until(lambda: line_is(front, BEN, Presence.OUT))


async def line_is(desk: Desk, child_id: str, status: Presence) -> bool:
    return (await line(desk, child_id))[0] is status


async def test_two_desks_that_both_take_a_child_in_while_apart_agree_afterwards(
    server: FakeServer, folder: Path, tmp_path: Path
) -> None:
    await enrol(request(server, tmp_path / "other", SECOND_CODE), lambda _: None)
    await server.stop()
    hour_ms = 3_600_000
    async with opened(folder) as front, opened(tmp_path / "other") as back:
        first = await front.check_in(ADA)
        await back.check_in(ADA, occurred_at_ms=first.occurred_at_ms + hour_ms)
        await server.start()
        await until(is_settled(front))
        await until(is_settled(back))
        await until(lambda: line_marked(front, ADA, Mark.NEEDS_REVIEW))
        await until(lambda: line_marked(back, ADA, Mark.NEEDS_REVIEW))
        assert (await front.status()).needs_review == 1
        await until(
            lambda: show_the_same(front, back)
        )  # a time an hour ahead is a question by itself, before they meet
    assert len(server.events()) == 2


async def show_the_same(front: Desk, back: Desk) -> bool:
    return await front.roster() == await back.roster()


async def line_marked(desk: Desk, child_id: str, mark: Mark) -> bool:
    return (await line(desk, child_id))[1] is mark


async def test_a_parked_entry_needs_review_and_does_not_hold_up_the_next(server: FakeServer, folder: Path) -> None:
    await server.stop()
    async with opened(folder) as desk:
        messages = desk.subscribe()
        await desk.check_in(ZOE)
        await desk.check_in(BEN)
        server.begin_anew_without(ZOE)
        await server.start()
        await until(is_settled(desk))
        outcomes = [(one.outcome, one.reason) for one in await drained(messages) if isinstance(one, EntrySettled)]
        assert outcomes == [
            (Outcome.PARKED, ParkReason.UNKNOWN_REFERENCE),
            (Outcome.APPLIED, ParkReason.NOT_PARKED),
        ]
        assert (await desk.status()).needs_review == 1
        assert await line(desk, BEN) == (Presence.IN, Mark.CONFIRMED)


async def test_refusals_say_what_is_wrong(folder: Path) -> None:
    async with opened(folder, linked=False) as desk:

        async def code_of(work: object) -> str:
            with pytest.raises(DeskError) as refusal:
                await work  # type: ignore[misc]
            return refusal.value.code

        assert await code_of(desk.check_in("nobody")) == "unknown_child"
        assert await code_of(desk.check_out(BEN)) == "already_out"
        assert await code_of(desk.check_in(BEN, note="a\x00b")) == "bad_input"
        assert await code_of(desk.check_in(BEN, note="\ud800")) == "bad_input"
        assert await code_of(desk.check_in(BEN, occurred_at_ms=5)) == "bad_input"
        assert await code_of(desk.check_in(BEN, staff_id="no id")) == "bad_input"
        assert (await desk.status()).waiting == 0
        recorded = await desk.check_in(BEN)
        assert await code_of(desk.check_in(BEN)) == "already_in"
        assert await code_of(desk.check_out(BEN, adult_id=BLOCKED)) == "not_authorised"
        assert await code_of(desk.check_out(BEN, adult_name="brook MAX")) == "not_authorised"
        assert await code_of(desk.check_out(BEN, adult_id=ADA)) == "unknown_adult"
        earlier = recorded.occurred_at_ms - 60_000
        assert await code_of(desk.check_out(BEN, occurred_at_ms=earlier)) == "bad_input"
        await desk.check_out(BEN, adult_name="Grandma")
        assert await code_of(desk.check_out(BEN)) == "already_out"
        assert await code_of(desk.find_by_name("Ada Abel")) == "ambiguous_name"
        assert await code_of(desk.find_by_name("Nobody Here")) == "unknown_child"
        assert await desk.find_by_name("ben  BROOK") == BEN
        assert await desk.find_by_name("Benjamin Brook") == BEN
        assert [one.child_id for one in search(await desk.roster(), "zolc zoe")] == [ZOE]
        assert [one.child_id for one in search(await desk.roster(), "abel")] == [ADA, TWIN]


async def test_two_presses_at_once_record_one_check_in(folder: Path) -> None:
    async with opened(folder, linked=False) as desk:
        results = await asyncio.gather(*(desk.check_in(BEN) for _ in range(5)), return_exceptions=True)
        assert sum(1 for result in results if not isinstance(result, Exception)) == 1
        assert (await desk.status()).waiting == 1


@pytest.mark.parametrize("code", [CloseCode.JOURNAL_INVALID, CloseCode.UPGRADE_NEEDED])
async def test_a_link_that_needs_a_person_says_so_and_the_desk_goes_on(
    server: FakeServer, folder: Path, code: CloseCode
) -> None:
    server.close_with = code
    async with opened(folder) as desk:
        await until(lambda: desk._following.link.phase is LinkPhase.NEEDS_PERSON)
        assert (await desk.status()).detail
        await desk.check_in(BEN)
        assert (await desk.status()).waiting == 1


async def test_a_token_that_is_refused_is_bought_anew(server: FakeServer, folder: Path) -> None:
    server.refuse_tokens = 2
    async with opened(folder) as desk:
        await until(is_settled(desk))


async def test_a_device_that_the_server_does_not_know_needs_a_person(server: FakeServer, folder: Path) -> None:
    server.devices.clear()
    async with opened(folder) as desk:
        await until(lambda: desk._following.link.phase is LinkPhase.NEEDS_PERSON)
