"""Reports over the HTTP door: what they tell, who may have them, and that a long one takes no more than a short one."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event
from starlette.types import Message

from server.services.roster_file import SourceFile
from sync.attendance import Correction, EventKind
from tests.contract.server_world import MINUTE_MS, new_id
from tests.support.api import Api, problem
from tests.support.clock import START_MS
from tests.support.late_office import HOUR, LateOffice, open_late_office
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

DAY = 24 * HOUR
TEN_YEARS = 3_650 * DAY
HOURS = "record,external_id,name,time_zone,opens_at,closes_at\ncenter,north,North House,Europe/Lisbon,08:00,18:00\n"
MORE = """record,external_id,center,given_name,family_name,room,birth_date
child,C-9,north,<script>alert(1)</script>,"=HYPERLINK(""http://x"")",BEES,2024-01-01
child,C-8,north,نور,"Bin ""Dawud"", 'x'",BEES,2024-01-01
"""
# The clock stands at 15:13:20 of Monday 2026-09-21 at the centre: this many minutes later it is 08:00 of the next day.
TOMORROW_AT_8 = 16 * HOUR + 46.667


class Desk:
    """What the reports of an office say."""

    def __init__(self, office: LateOffice) -> None:
        self.office = office

    async def ask(self, name: str, who: str = "manager", center: str = "north", **query: str) -> httpx.Response:
        if who not in ("manager", "staff"):
            await self.office.api.sign_in(who)
        address = f"/api/v1/centers/{self.office.api.centers[center]}/reports{name and '/'}{name}"
        headers = await self.office.headers(who)
        return await self.office.api.client.get(address, params=query, headers=headers)

    async def lines(self, name: str, first: str = "", last: str = "", who: str = "manager") -> list[dict[str, str]]:
        query = {key: value for key, value in (("from", first), ("to", last)) if value}
        answer = await self.ask(name, who, **query)
        assert answer.status_code == 200, answer.text
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert answer.content.count(b"\n") == answer.content.count(b"\r\n") or name in ("emergency", "corrections")
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))

    async def send(self, method: str, path: str, **body: Any) -> None:
        address = f"/api/v1/centers/{self.office.api.centers['north']}/{path}"
        headers = await self.office.headers("manager")
        answer = await self.office.api.client.request(method, address, json=body, headers=headers)
        assert answer.is_success, answer.text


@pytest.fixture
async def desk(api: Api, database: FreshDatabase) -> AsyncIterator[Desk]:
    async with open_late_office(api, database) as office:
        for content in (HOURS, MORE):
            report = await api.services.roster_import.run([SourceFile("more.csv", content.encode())])
            assert not report.problems, report.problems
        yield Desk(office)


async def test_a_week_is_told_on_every_report(desk: Desk) -> None:
    office = desk.office
    ana, zoe, scripted = [await office.child(name) for name in ("Ana", "Zoë", "<script>alert(1)</script>")]
    ruth, front = await office.staff("Ruth"), await office.desk("Front desk")
    eight = int(TOMORROW_AT_8) + 1
    came = front.check_in(ana, minute=eight, auth_method="pin", identity_check="known_to_staff", adult_name="Mr. Silva")
    late = front.check_in(zoe, minute=eight, recorded_at_ms=START_MS + (eight + 30) * MINUTE_MS, staff_id=ruth)
    left = front.check_out(ana, minute=eight + 11 * HOUR, auth_method="pin", adult_name="=cmd|'/c calc'!A0")
    mended = front.event(
        ana, EventKind.CORRECT, minute=eight + 12 * HOUR, supersedes=(came.event_id,), staff_id=ruth,
        reason="Written down too late",
        corrected=Correction(occurred_at_ms=START_MS + (eight - 15) * MINUTE_MS, adult_name="Mrs. Silva"),
    )  # fmt: skip
    here = front.check_in(scripted, minute=eight + 5, auth_method="pin")
    await office.push(front, came, late, left, mended, here, at=eight + 13 * HOUR)
    await desk.send("POST", f"children/{zoe}/alerts", id=new_id(), kind="allergy", severity="critical",
                    text="Nuts, +eggs")  # fmt: skip
    guardian = new_id()
    await desk.send("POST", "adults", id=guardian, given_name="Mo", family_name="Ünal", phone="+351 555 12")
    await desk.send(
        "PUT", f"children/{zoe}/relationships/{guardian}", kind="mother", legal_guardian=True, emergency_rank=1
    )
    await desk.send(
        "POST",
        f"children/{scripted}/follow-ups",
        follow_up_id=new_id(),
        day="2026-09-21",
        result="no_answer",
        note="Twice",
    )

    sheet = await desk.lines("daily", "2026-09-21", "2026-09-27", who="staff")
    assert [line["Child"] for line in sheet] == [
        '<script>alert(1)</script> =HYPERLINK("http://x")', "Zoë O'Neill-Ünal", "Ana Silva"
    ]  # fmt: skip
    by_child = {line["Child"].split()[0]: line for line in sheet}
    assert by_child["Ana"] == {
        "Day": "2026-09-22", "Child": "Ana Silva", "Room": "Bumblebees", "Came": "2026-09-22 07:45:20+01:00",
        "Brought by": "Mrs. Silva", "Method in": "pin, known to staff", "Desk in": "Front desk",
        "Signature in": "valid", "Left": "2026-09-22 19:00:20+01:00", "Collected by": "'=cmd|'/c calc'!A0",
        "Method out": "pin", "Desk out": "Front desk", "Signature out": "valid", "Remarks": "arrival corrected",
    }  # fmt: skip
    assert by_child["Zoë"]["Remarks"] == "still in, arrival entered later"
    assert by_child["Zoë"]["Method in"] == "staff attested, Ruth Appiah"

    await _other_reports_tell_of_it(desk)
    await _are_printed(desk)
    await _are_refused(desk)
    old = [front.check_in(zoe, minute=-TEN_YEARS), front.check_out(zoe, minute=-TEN_YEARS + HOUR)]
    await office.push(front, *old, at=eight + 13 * HOUR)
    await _ten_years_are_read_as_they_are_taken(desk)


async def _other_reports_tell_of_it(desk: Desk) -> None:
    (hours,) = [line for line in await desk.lines("hours", "2026-09-01", "2026-09-30") if line["Child"] == "Ana Silva"]
    assert (hours["Days"], hours["Stays"], hours["Hours"], hours["Unsure stays"]) == ("1", "1", "11.25", "0")
    (overdue,) = await desk.lines("late-pickups", "2026-09-22", "2026-09-22")
    assert (overdue["Due"], overdue["Due by"]) == ("2026-09-22 18:00:00+01:00", "closing")
    assert overdue["Minutes late"] == "60"
    gone = await desk.lines("absences", "2026-09-21", "2026-09-22")
    missed = [(line["Day"], line["State"]) for line in gone if line["Child"].startswith("<script>")]
    assert missed == [("2026-09-21", "missing")]
    assert gone[0]["Kind"] == "without a word"
    assert any(line["Calls"].endswith("manager no answer: Twice") for line in gone)
    (correction,) = await desk.lines("corrections", "2026-09-22", "2026-09-22")
    assert correction["Made by"] == "Ruth Appiah"
    assert correction["Before"] == "time: 2026-09-22 08:00:20+01:00\nadult: Mr. Silva"
    assert correction["After"] == "time: 2026-09-22 07:45:20+01:00\nadult: Mrs. Silva"
    assert (correction["Reason"], correction["In effect"]) == ("Written down too late", "yes")
    (zoe_line,) = [line for line in await desk.lines("emergency", who="staff") if line["Child"].startswith("Zoë")]
    assert zoe_line["Alerts"] == "CRITICAL allergy: Nuts,' +eggs"
    assert zoe_line["Call"] == "Mo Ünal (mother): +351 555 12"
    ratio = await desk.lines("ratio", "2026-09-22", "2026-09-22")
    assert ratio[0]["From"] == "2026-09-22 07:45:00+01:00"
    assert (ratio[0]["Room"], ratio[0]["Children"], ratio[0]["State"]) == ("Bumblebees", "1", "no rules")
    assert max(int(line["Children"]) for line in ratio) == 3


async def _are_printed(desk: Desk) -> None:
    answer = await desk.ask("daily", format="pdf", **{"from": "2026-09-21", "to": "2026-09-27"})
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="daily-2026-09-21-to-2026-09-27.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"%PDF-1.7")
    assert answer.content.endswith(b"%%EOF\n")
    assert b"\n% part 1 of 1\n" in answer.content


class HoldsStill:
    """Somebody who takes the first bytes of an answer, and no more until they are let go on."""

    def __init__(self) -> None:
        self.body = b""
        self.headers: dict[bytes, bytes] = {}
        self.has_some, self.goes_on = asyncio.Event(), asyncio.Event()

    async def take(self, message: Message) -> None:
        self.headers |= dict(message.get("headers", ()))
        if message.get("body"):
            self.body += message["body"]
            self.has_some.set()
            await self.goes_on.wait()

    async def ask(self) -> Message:
        await asyncio.Event().wait()  # it never hangs up
        raise AssertionError


async def _ten_years_are_read_as_they_are_taken(desk: Desk) -> None:
    """A report of a hundred and twenty months is read month by month, and only as fast as somebody takes it."""
    office, reader, statements = desk.office, HoldsStill(), 0
    headers = await office.headers("manager")
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": f"/api/v1/centers/{office.api.centers['north']}/reports/hours", "root_path": "",
        "query_string": b"from=2016-09-01&to=2026-09-27", "server": ("test", 80), "client": ("127.0.0.1", 1),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        answering = asyncio.create_task(office.api.app(scope, reader.ask, reader.take))
        await asyncio.wait(
            {answering, asyncio.create_task(reader.has_some.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        first, read = reader.body, statements
        assert (await desk.ask("", "staff")).is_success  # whatever else there is to do is done now
        assert reader.body == first
        reader.goes_on.set()
        await answering
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert reader.headers[b"x-report-parts"] == b"121"
    assert statements > 10 * read
    lines = list(csv.DictReader(io.StringIO(reader.body.decode("utf-8-sig"), newline="")))
    of_zoe = [line for line in lines if line["Child"].startswith("Zoë")]
    oldest, *_, newest = of_zoe
    assert (oldest["From"], oldest["Hours"]) == ("2016-09-01", "1.00")
    assert newest["From"] == "2026-09-01"


async def _are_refused(desk: Desk) -> None:
    assert problem(await desk.ask("hours", "staff")) == (403, "not_entitled")
    assert problem(await desk.ask("daily", "parent")) == (403, "not_entitled")
    assert problem(await desk.ask("daily", "stranger")) == (404, "not_found")
    assert problem(await desk.ask("", "foreign_admin")) == (404, "not_found")
    assert problem(await desk.ask("daily", **{"from": "2026-09-02", "to": "2026-09-01"})) == (422, "invalid_input")
    assert problem(await desk.ask("daily", **{"from": "1999-09-02"})) == (422, "invalid_input")
    assert problem(await desk.ask("emergency", **{"from": "2026-09-01"})) == (422, "invalid_input")
    assert problem(await desk.ask("daily", format="xlsx")) == (422, "invalid_input")
    assert problem(await desk.ask("secrets")) == (422, "invalid_input")
    listed = (await desk.ask("", "staff")).json()["items"]
    assert [one["name"] for one in listed if one["yours"]] == ["daily", "emergency"]


async def test_both_nights_on_which_the_clocks_change_are_counted_right(desk: Desk) -> None:
    office = desk.office
    ana, front = await office.child("Ana"), await office.desk("Front desk")
    # 22:00 of the evenings before, to 08:00 by the clock on the wall: nine hours in March, eleven in October.
    nights = {"2026-03-28": 1_774_735_200_000, "2026-10-24": 1_792_875_600_000}
    entries = []
    for began, hours in zip(nights.values(), (9, 11), strict=True):
        minute = (began - START_MS) // MINUTE_MS
        rest = (began - START_MS) % MINUTE_MS
        for make, at in ((front.check_in, 0), (front.check_out, hours * HOUR)):
            moment = START_MS + (minute + at) * MINUTE_MS + rest
            entries.append(make(ana, occurred_at_ms=moment, recorded_at_ms=moment))
    await office.push(front, *entries, at=60 * DAY)
    march = await desk.lines("hours", "2026-03-28", "2026-03-29")
    october = await desk.lines("hours", "2026-10-24", "2026-10-25")
    assert (march[0]["Hours"], october[0]["Hours"]) == ("9.00", "11.00")
    sheet = await desk.lines("daily", "2026-03-01", "2026-10-31")
    assert [(line["Came"], line["Left"]) for line in sheet] == [
        ("2026-03-28 22:00:00+00:00", "2026-03-29 08:00:00+01:00"),
        ("2026-10-24 22:00:00+01:00", "2026-10-25 08:00:00+00:00"),
    ]
    for day, quarters in (("2026-03-29", 7 * 4), ("2026-10-25", 9 * 4)):
        ratio = await desk.lines("ratio", day, day)
        assert len(ratio) == len({line["From"] for line in ratio}) == quarters
    # Ten years of which nothing is known before the first event are not read day by day.
    answer = await desk.ask("daily", **{"from": "2016-01-01", "to": "2026-10-31"})
    assert int(answer.headers["x-report-parts"]) == 32
    assert answer.content.count(b"\r\n") == 3
