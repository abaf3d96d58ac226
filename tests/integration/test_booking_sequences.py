"""Random changes, several at once: never overbooked, and nobody waits beside a free place."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.inbox import Inbox
from tests.support.planning_office import SESSION, TOMORROW, Planning, planning_of

pytestmark = pytest.mark.postgres

ROUNDS = 16
AT_ONCE = 4
SEED = 20260922
HOURS: dict[str, Any] = {
    **SESSION,
    "code": "H",
    "name": "Hours",
    "unit": "hour",
    "from_time": "08:00",
    "to_time": "13:00",
}
HELD = ("requested", "confirmed", "attended", "no_show")


@pytest.fixture
async def planning(inbox: Inbox) -> AsyncIterator[Planning]:
    async with planning_of(inbox) as opened:
        yield opened


async def rows(planning: Planning) -> list[Any]:
    statement = "SELECT b.*, s.capacity FROM booking b JOIN service s USING (center_id) WHERE s.id = b.service_id"
    async with planning.inbox.units.read() as connection:
        return list(await connection.execute(text(statement)))


def check(found: list[Any]) -> None:
    """Hour by hour, without any code of the server's."""
    for service in {row.service_id for row in found}:
        ours = [row for row in found if row.service_id == service]
        capacity = ours[0].capacity
        taken: dict[datetime, int] = {}
        for row in ours:
            if row.status in HELD:
                for hour in hours_of(row):
                    taken[hour] = taken.get(hour, 0) + 1
        assert max(taken.values(), default=0) <= capacity
        for row in ours:
            if row.status == "waitlisted":
                assert any(taken.get(hour, 0) >= capacity for hour in hours_of(row)), "waits beside a free place"
    live = [row for row in found if row.status in (*HELD, "waitlisted")]
    each = [(row.child_id, row.service_id, hour) for row in live for hour in hours_of(row)]
    assert len(each) == len(set(each)), "a child has two bookings of one service at one time"


def hours_of(row: Any) -> list[datetime]:
    count = (row.ends_at - row.starts_at) // timedelta(hours=1)
    return [row.starts_at + timedelta(hours=number) for number in range(count)]


async def change(planning: Planning, luck: random.Random, services: tuple[str, str], children: list[str]) -> None:
    """One change of one client; refusals are answers as good as any."""
    session, hours = services
    what = luck.choice(["book", "book", "book", "hours", "hours", "hours", "cancel", "cancel", "shrink", "grow"])
    if what == "book":
        wish = planning.wish(luck.choice(children), session, if_full=luck.choice(["waitlist", "refuse"]))
        answer = await planning.ask("POST", "bookings", "staff", json=wish)
    elif what == "hours":
        begin = luck.randrange(8, 13)
        starts_at = datetime(TOMORROW.year, TOMORROW.month, TOMORROW.day, begin - 1, tzinfo=UTC)
        ends_at = starts_at + timedelta(hours=luck.randrange(1, 14 - begin))
        times: dict[str, Any] = {"starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
        wish = planning.wish(luck.choice(children), hours, **times)
        answer = await planning.ask("POST", "bookings", "staff", json=wish)
    elif what == "cancel":
        live = [str(row.id) for row in await rows(planning) if row.status in ("confirmed", "waitlisted")]
        if not live:
            return
        answer = await planning.ask("POST", f"bookings/{luck.choice(live)}/cancel", "staff", json={})
    else:
        capacity = luck.randrange(0, 2) if what == "shrink" else luck.randrange(1, 4)
        service, body = luck.choice([(session, SESSION), (hours, HOURS)])
        answer = await planning.ask("PUT", f"services/{service}", json={**body, "capacity": capacity}, tag="*")
    assert answer.status_code in {200, 201, 409}, answer.text


async def test_no_sequence_of_changes_overbooks_or_leaves_a_place_empty(planning: Planning) -> None:
    luck = random.Random(SEED)
    services = await planning.service(), await planning.service(**HOURS)
    children = await planning.children(5)
    await planning.inbox.who("staff")
    for _ in range(ROUNDS):
        await asyncio.gather(*(change(planning, luck, services, children) for _ in range(AT_ONCE)))
        check(await rows(planning))
    ended = [row for row in await rows(planning) if row.cancelled_at is not None]
    assert ended, f"seed {SEED} cancels nothing; it proves little"
