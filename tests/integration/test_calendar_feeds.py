"""A calendar program reads a family's bookings at a secret address, by today's rights, until it is taken back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import text

from server.services.throttles import CALENDAR_ADDRESS
from tests.support.api import problem
from tests.support.inbox import Inbox
from tests.support.planning_office import TODAY, TOMORROW, Planning, planning_of

pytestmark = pytest.mark.postgres


@pytest.fixture
async def planning(inbox: Inbox) -> AsyncIterator[Planning]:
    async with planning_of(inbox) as opened:
        yield opened


class Program:
    """A calendar program, and the parent who set it up."""

    def __init__(self, planning: Planning) -> None:
        self.planning, self.client = planning, planning.client

    async def mine(self, method: str, who: str = "parent") -> Response:
        headers = await self.planning.inbox.who(who)
        return await self.client.request(method, "/api/v1/my/calendar", headers=headers)

    async def read(self, url: str, **headers: str) -> Response:
        return await self.client.get(url, headers=headers)

    async def summaries(self, url: str) -> list[tuple[str, str]]:
        """What is in it: what, and how sure."""
        lines = (await self.read(url)).text.split("\r\n")
        shown = [one.partition(":")[2] for one in lines if one.startswith(("SUMMARY:", "STATUS:"))]
        return list(zip(shown[::2], shown[1::2], strict=True))


async def test_bookings_are_read_at_a_secret_address_by_todays_rights(planning: Planning) -> None:
    program = Program(planning)
    child, ana = await planning.inbox.person("C-1"), await planning.inbox.person("C-2")
    service = await planning.service(name="Mornings, long", capacity=1)
    first = await planning.book(child, service, TODAY)
    await planning.book(child, service, TOMORROW)
    assert problem(await program.mine("GET")) == (404, "not_found")
    made = await program.mine("POST")
    url: str = made.json()["url"]
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert await program.summaries(url) == [], "no child of theirs"
    await planning.link("parent", child)
    assert await program.summaries(url) == [], "who books and may not see the child"
    await planning.link("parent", child, legal_guardian=True)
    assert await program.summaries(url) == [("Zoë: Mornings\\, long", "CONFIRMED")] * 2
    await _has_times_in_utc_and_nothing_more(program, url, first["id"])
    # A wish that is not sure, and one that is given back.
    await planning.link("parent", ana, legal_guardian=True)
    await planning.book(ana, service, TOMORROW, if_full="waitlist")
    await planning.cancel(first["id"])
    assert sorted(await program.summaries(url)) == [
        ("Ana: Mornings\\, long", "TENTATIVE"), ("Zoë: Mornings\\, long", "CONFIRMED"),
    ]  # fmt: skip
    assert (await program.mine("GET")).json()["last_read_at"] == "2026-09-21T14:13:20Z"
    await _ends(program, url)


async def _has_times_in_utc_and_nothing_more(program: Program, url: str, booking_id: str) -> None:
    answer = await program.read(url)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-cache"
    for line in (f"UID:{booking_id}@rollcall", "DTSTART:20260921T070000Z", "DTEND:20260921T120000Z", "NAME:Zoë"):
        assert f"\r\n{line}\r\n" in answer.text
    assert "Ünal" not in answer.text
    assert (await program.read(url, **{"If-None-Match": answer.headers["etag"]})).status_code == 304


async def _ends(program: Program, url: str) -> None:
    planning = program.planning
    newer = (await program.mine("POST")).json()["url"]
    assert problem(await program.read(url)) == (404, "not_found"), "the one before"
    await planning.link("parent", await planning.inbox.person("C-2"), can_view=False)
    assert [one for one, _ in await program.summaries(newer)] == ["Zoë: Mornings\\, long"]
    token = newer.rsplit("/", 1)[1].removesuffix(".ics")
    async with planning.inbox.units.read() as connection:
        kept: Any = await connection.scalar(text("SELECT string_agg(CAST(one AS text), '') FROM calendar_feed AS one"))
    assert token not in kept
    for _ in range(2):
        assert (await program.mine("DELETE")).status_code == 204
    assert problem(await program.read(newer)) == (404, "not_found")
    newest = (await program.mine("POST")).json()["url"]
    assert (await program.read(newest)).status_code == 200
    headers = await planning.inbox.who("manager")
    users = f"/api/v1/centers/{planning.api.centers['north']}/users"
    me = next(
        one
        for one in (await planning.client.get(users, headers=headers)).json()["items"]
        if one["email"] == "parent@example.org"
    )
    off = {**headers, "If-Match": "*"}
    (await planning.client.patch(f"{users}/{me['id']}", json={"is_active": False}, headers=off)).raise_for_status()
    assert problem(await program.read(newest)) == (404, "not_found"), "switched off"
    assert problem(await program.read("/api/v1/calendars/short.ics")) == (422, "invalid_input")
    for _ in range(CALENDAR_ADDRESS.burst - 3):
        await program.read(newer)
    assert problem(await program.read(newer)) == (429, "rate_limited")
