"""The live board over real sockets: what it says, who may see it, and how its stream begins, goes on and ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, event, text

from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.live_hub import VIEWERS_OF_USER_MAX
from server.services.positions import Positions
from server.services.roster_file import SourceFile
from sync.attendance import EventKind
from sync.effects import RecordApplied
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import MINUTE_MS, NOW_MS, Desk, new_id
from tests.support.api import problem
from tests.support.clock import START_MS, FakeClock
from tests.support.live_office import LiveOffice, open_live_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

HOURS = """record,external_id,name,organisation,time_zone,closes_at
center,north,North House,Hill Nurseries,Europe/Lisbon,15:00
"""
RENAMED = """record,external_id,center,given_name,family_name,birth_date,room,name,capacity
room,BEES,north,,,,,Bumblebees,3
child,C-2,north,Ana,Souza,2022-11-30,BEES,,
"""
ALERTS = """record,external_id,center,child,kind,severity,text
alert,A-1,north,C-2,allergy,critical,Peanuts: pen in the office
alert,A-2,north,C-2,dietary,info,No milk
"""


class Hands:
    """Desks of the centre north whose journals reach the server, and a hand in its tables."""

    def __init__(self, office: LiveOffice, database: FreshDatabase, clock: FakeClock | SystemClock) -> None:
        self.office, self.clock = office, clock
        self.app, self.owner = create_engine(database.urls.app), create_engine(database.urls.owner)
        self.units = UnitsOfWork(self.app, clock=clock, luck=bytes, new_id=Ids(clock).new)
        self.intake = JournalIntake(self.units, clock)

    async def desk(self, manager: dict[str, str], name: str) -> Desk:
        key = Ed25519PrivateKey.generate()
        found = (await self.office.api.enrol(await self.office.api.new_code(manager, name), key)).json()
        return Desk(DeviceKey(found["center_id"], found["device_id"]), key)

    async def push(self, desk: Desk, *entries: Entry) -> None:
        assert isinstance(await self.intake.store_batch(desk.key, entries), BatchStored)

    async def heartbeat(self, desk: Desk, waiting: int) -> None:
        positions = Positions(self.units, self.clock)
        positions.note(desk.key, RecordApplied("epoch", 1, waiting))
        await positions.flush()

    async def id_of(self, external_id: str) -> str:
        async with self.owner.connect() as connection:
            statement = text("SELECT id FROM person WHERE external_id = :one")
            return str(await connection.scalar(statement, {"one": external_id}))

    async def execute(self, statement: str) -> None:
        async with self.owner.begin() as connection:
            await connection.execute(text(statement))

    async def close(self) -> None:
        await self.app.dispose()
        await self.owner.dispose()


@pytest.fixture
async def hands(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Hands]:
    async with open_live_office(database, tmp_path) as office:
        found = Hands(office, database, SystemClock())
        yield found
        await found.close()


@pytest.fixture
async def still(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Hands]:
    """The same on a Monday at 15:13:20 at the centre, when the clock stands still."""
    clock = FakeClock()
    async with open_live_office(database, tmp_path, clock=clock) as office:
        found = Hands(office, database, clock)
        yield found
        await found.close()


def _now_minute(hands: Hands) -> int:
    return (hands.clock.wall_ms() - NOW_MS) // MINUTE_MS


async def test_a_stream_begins_goes_on_resumes_and_ends_with_the_right_to_it(hands: Hands) -> None:
    office = hands.office
    manager, staff = await office.api.sign_in("manager"), await office.api.sign_in("staff")
    desk, ana = await hands.desk(manager, "Front desk"), await hands.id_of("C-2")
    minute = _now_minute(hands)
    async with office.stream(staff) as stream, office.stream(manager) as other:
        assert (await stream.next()).comment == "rollcall"
        first = await stream.board()
        assert first.board["totals"]["children"] == {"certain": 0, "least": 0, "most": 0}
        assert first.data == (await other.board()).data, "one board for all who watch"
        # What a desk records is on every screen, and so is a critical finding, as soon as it is committed.
        await hands.push(desk, desk.check_in(ana, minute=minute - 60))
        came = await stream.until(lambda board: board["totals"]["children"]["certain"] == 1)
        assert came.data == (await other.until(lambda board: board["totals"]["children"]["certain"] == 1)).data
        adults = [desk.check_out(ana, minute=minute - 30, adult_name="Grandmother")]
        adults += [desk.check_out(ana, minute=minute - 29, adult_name="Somebody else")]
        await hands.push(desk, *adults)
        found = await stream.until(lambda board: board["findings"]["critical"] == 1)
        assert found.board["findings"]["items"][0]["kind"] == "two_collectors"
        assert found.event_id == f"{found.board['epoch']}:{found.board['version']}"
        async with (
            office.stream(staff, seen=found.event_id) as resumed,
            office.stream(staff, seen=came.event_id) as late,
        ):
            assert [(await resumed.next()).comment for _ in range(2)] == ["rollcall", "nothing new"]
            assert (await late.board()).event_id == found.event_id
        # Within five seconds of the loss of a right, and the others go on.
        await hands.execute("DELETE FROM membership WHERE role_id = 2")
        async with asyncio.timeout(5):
            assert await stream.bye() == "rights_lost"
        await hands.push(desk, desk.check_in(ana, minute=minute))
        await other.until(lambda board: board["totals"]["children"]["certain"] == 1)
        async with asyncio.timeout(5):
            leaving = asyncio.create_task(other.bye())
            await office.running.drain()
            assert await leaving == "draining"
        assert problem(await _live(office, manager)) == (503, "unavailable")


async def _live(office: LiveOffice, headers: dict[str, str], center: str = "north") -> Any:
    return await office.api.client.get(f"/api/v1/centers/{office.api.centers[center]}/live", headers=headers)


async def test_a_stream_is_for_the_staff_of_the_centre_and_bounded(still: Hands) -> None:
    office = still.office
    for who, expected in (("parent", (403, "not_entitled")), ("stranger", (404, "not_found"))):
        headers = await office.api.sign_in(who)
        assert problem(await _live(office, headers)) == expected
        assert problem(await office.board(headers)) == expected
    assert problem(await _live(office, {})) == (401, "unauthenticated")
    assert problem(await office.board({})) == (401, "unauthenticated")
    staff = await office.api.sign_in("staff")
    assert problem(await _live(office, staff, "south")) == (404, "not_found")
    assert problem(await _live(office, staff | {"Last-Event-ID": "x" * 201})) == (422, "invalid_input")
    streams = [office.stream(staff) for _ in range(VIEWERS_OF_USER_MAX)]
    try:
        opened = [await one.__aenter__() for one in streams]
        refused = await _live(office, staff)
        assert problem(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "30"
        # A token is good for 15 minutes; nobody watches longer than that.
        assert isinstance(still.clock, FakeClock)
        still.clock.advance_ms(15 * MINUTE_MS)
        assert {await stream.bye() for stream in opened} == {"token_expired"}
    finally:
        for one in streams:
            await one.__aexit__(None, None, None)


async def _ask_names(office: LiveOffice, headers: dict[str, str], **asked: str) -> httpx.Response:
    path = f"/api/v1/centers/{office.api.centers['north']}/board/names"
    return await office.api.client.get(path, params=asked, headers=headers)


async def _names(office: LiveOffice, headers: dict[str, str], **asked: str) -> Any:
    return (await _ask_names(office, headers, **asked)).raise_for_status().json()


def _nobody_is_booked(board: dict[str, Any]) -> None:
    plan = board["plan"]
    assert plan["rooms"] == [{"room_id": board["rooms"][0]["room_id"], "now": 0, "today": 0}]
    assert (plan["starts_at"], len(plan["arrivals"]), plan["expected"]) == ("2026-09-21T15:00:00+01:00", 8, 0)
    assert board["curve"]["expected"] == [0] * 96


async def _totals_have_names(office: LiveOffice, headers: dict[str, str]) -> None:
    found = {of: (await _names(office, headers, of=of))["items"] for of in ("children", "staff", "visitors")}
    assert {of: [(one["name"], one["room_name"]) for one in items] for of, items in found.items()} == {
        "children": [("Ana Silva", "Bumblebees"), ("Mia New", "")], "staff": [("Ruth Appiah", "")],
        "visitors": [("Bob Builder", "")],
    }  # fmt: skip
    assert [one["on_file"] for one in found["children"]] == [True, False]


async def _a_wall_is_sent_no_name(office: LiveOffice, headers: dict[str, str], names: Iterable[str]) -> None:
    """Neither in the document nor in what the stream writes; the counts are those of the board."""
    center = office.api.centers["north"]
    document = await office.api.client.get(f"/api/v1/centers/{center}/board?names=none", headers=headers)
    async with office.stream(headers, path=f"/centers/{center}/live?names=none") as stream:
        streamed = await stream.board()
    for sent in (document.text, streamed.data):
        assert not [one for one in names if one in sent or one in json.dumps(json.loads(sent), ensure_ascii=False)]
    board, wall = (await office.board(headers)).json(), streamed.board
    assert (wall["totals"], wall["rooms"]) == (board["totals"], board["rooms"])
    assert (wall["not_here"]["count"], wall["findings"]["critical"]) == (1, board["findings"]["critical"])
    for path in ("board", "live"):
        refused = await office.api.client.get(f"/api/v1/centers/{center}/{path}?names=all", headers=headers)
        assert problem(refused) == (422, "invalid_input")


def _named_findings(board: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["kind"], one["subject_name"]) for one in board["findings"]["items"]}


async def _import(office: LiveOffice, *rosters: str) -> None:
    for roster in rosters:
        report = await office.api.services.roster_import.run([SourceFile("roster.csv", roster.encode())])
        assert report.stored, report.problems


async def test_the_document_says_who_is_where_and_what_is_urgent(still: Hands) -> None:
    office = still.office
    await _import(office, HOURS, ALERTS)
    manager = await office.api.sign_in("manager")
    rules = {"effective_from": "2026-01-01", "preset": "cfoc"}
    path = f"/api/v1/centers/{office.api.centers['north']}/ratio-rules"
    (await office.api.client.put(path, json=rules, headers={**manager, "If-Match": "*"})).raise_for_status()
    front, back = await still.desk(manager, "Front desk"), await still.desk(manager, "Back door")
    ana, ruth, bob, guest = await still.id_of("C-2"), await still.id_of("S-1"), new_id(), new_id()
    at = (START_MS - NOW_MS) // MINUTE_MS
    await still.push(
        front,
        front.check_in(ana, minute=at - 60),
        front.event("", EventKind.STAFF_IN, minute=at - 90, person_id=ruth),
        front.event("", EventKind.VISITOR_IN, minute=at - 20, person_id=bob, person_name="Bob Builder"),
        front.check_in(guest, minute=at - 5, provisional_name="Mia New", clock_offset_ms=1_500),
    )
    await still.heartbeat(front, waiting=2)
    answer = await office.board(manager)
    board = answer.json()
    assert board["as_of"] == "2026-09-21T15:13:20+01:00"
    assert board["totals"]["children"] == {"certain": 2, "least": 0, "most": 4}
    assert (board["totals"]["staff"]["certain"], board["totals"]["visitors"]["certain"]) == (1, 1)
    assert (board["coverage"]["unconfirmed"], board["coverage"]["bounded"]) == (2, False)
    assert board["coverage"]["says"] == [
        "Back door has never been heard", "Front desk had 2 entries to send at 15:13",
    ]  # fmt: skip
    (bees,) = board["rooms"]
    behind = await _names(office, manager, of="room", room_id=bees["room_id"])
    (shown,) = behind["items"]
    assert (behind["as_of"], behind["version"], behind["count"]) == (board["as_of"], board["version"], 1)
    assert (shown["name"], shown["critical"], shown["allergies"]) == ("Ana Silva", True, ["Peanuts: pen in the office"])
    assert (shown["room_assumed"], shown["since"]) == (True, "2026-09-21T14:13:20+01:00")
    assert (bees["ratio"]["status"], bees["ratio"]["reason"]) == ("breach", "no_staff")
    others = await _names(office, manager)
    assert [one["name"] for one in others["items"] + others["staff"]] == ["Mia New", "Ruth Appiah"]
    await _totals_have_names(office, manager)
    await _a_wall_is_sent_no_name(office, manager, ("Ana", "Silva", "Mia New", "Ruth", "Bob", "Zoë", "Peanuts", ana))
    assert "Bob Builder" not in answer.text
    assert problem(await _ask_names(office, manager, room_id=new_id())) == (404, "not_found")
    assert problem(await _ask_names(office, manager, of="everybody")) == (422, "invalid_input")
    assert _named_findings(board) >= {("unknown_reference", "Mia New")}
    assert [one["name"] for one in board["not_here"]["items"]] == ["Zoë O'Neill-Ünal"]
    assert [one["name"] for one in board["after_hours"]["items"]] == ["Ana Silva"]
    assert (board["not_here"]["announced"], board["not_here"]["items"][0]["call"]) == (0, None)
    _nobody_is_booked(board)
    assert [one["text"] for one in board["allergies"]["items"]] == ["Peanuts: pen in the office"]
    assert board["curve"]["children"][-5:] == [0, 1, 1, 1, 1]
    assert {one["name"]: (one["waiting"], one["clock_offset_ms"]) for one in board["devices"]} == {
        "Front desk": (2, 1_500), "Back door": (None, None),
    }  # fmt: skip
    # The same document is not sent twice within a minute, unless the log moved.
    asked = manager | {"If-None-Match": answer.headers["etag"]}
    assert (await office.board(asked)).status_code == 304
    await still.push(back, back.check_out(ana, minute=at - 1, adult_name="Grandmother"))
    left = (await office.board(asked)).json()["left"]
    assert (left["count"], [(one["name"], one["collected_by"]) for one in left["items"]]) == (
        1, [("Ana Silva", "Grandmother")],
    )  # fmt: skip
    await _who_is_on_file_is_read_when_the_log_says_so(still, manager, front, ana)


async def _who_is_on_file_is_read_when_the_log_says_so(
    still: Hands, manager: dict[str, str], desk: Desk, child: str
) -> None:
    """What happens at the door reads no child's file anew; a changed file, or a minute, does, and at once."""
    office, at = still.office, (START_MS - NOW_MS) // MINUTE_MS
    with _times_read("FROM person\n", "LEFT JOIN staff_profile ON") as read:
        await still.push(desk, desk.check_in(child, minute=at))
        assert (await office.board(manager)).json()["left"]["count"] == 0
        assert len(read) == 0
        await _import(office, RENAMED)
        names = await _names(office, manager, of="children")
        assert [one["name"] for one in names["items"]] == ["Ana Souza", "Mia New"]
        assert (await office.board(manager)).json()["rooms"][0]["capacity"] == 3
        assert len(read) == 1
        # No desk holds the hours of a centre, so no row of the log tells of them.
        await _import(office, HOURS.replace("15:00", "23:00"))
        assert isinstance(still.clock, FakeClock)
        still.clock.advance_ms(MINUTE_MS)
        assert (await office.board(manager)).json()["after_hours"]["count"] == 0
        assert len(read) == 2


@contextmanager
def _times_read(*words: str) -> Iterator[list[str]]:
    """The statements of this process that have these words."""
    found: list[str] = []

    def note(*said: Any) -> None:
        if all(word in said[2] for word in words):
            found.append(said[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)
