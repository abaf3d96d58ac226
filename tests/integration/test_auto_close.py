"""The end of a day: who is still in is assumed to have left, until somebody says better."""

from collections.abc import AsyncIterator

import pytest

from server.services.auto_close import AutoClose
from server.services.journal_intake import JournalIntake
from server.services.projections import Projections
from server.services.server_desk import ServerDesk
from server.services.verification import Verification
from tests.contract.server_world import MINUTE_MS, NOW_MS, push
from tests.support.api import SECRET
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres

# NOW_MS is 2026-09-21 14:13:20 UTC, 16:13:20 in Berlin.
CLOSES = "record,external_id,name,time_zone,opens_at,closes_at\ncenter,elm,Elm Lane,Europe/Berlin,07:00,18:00\n"
CLOSING_MS = NOW_MS + (106 * 60 + 40) * 1_000
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        await opened.take_in(CLOSES)
        yield opened


def auto_close(books: Books) -> AutoClose:
    """The job, as one server process has it."""
    world = books.world
    desk = ServerDesk(world.units, JournalIntake(world.units, books.clock), books.clock, books.new_id, SECRET)
    return AutoClose(world.units, desk, books.clock)


async def stays(books: Books) -> list[tuple[bool, bool]]:
    """Whether each stay of the child is open, and whether its end is assumed."""
    found = await books.rows("SELECT ended_at IS NULL AS is_open, assumed FROM stay ORDER BY ordinal")
    return [(row.is_open, row.assumed) for row in found]


async def test_nobody_is_assumed_gone_before_an_hour_after_closing(books: Books) -> None:
    desk = await books.desk()
    await push(books.world, desk, desk.check_in(await books.person("C-1")))
    books.clock.set_wall_ms(CLOSING_MS + HOUR_MS - 1)
    assert await auto_close(books).run() == 0
    books.clock.set_wall_ms(CLOSING_MS + HOUR_MS)
    assert await auto_close(books).run() == 1
    assert await stays(books) == [(False, True)]
    ended = await books.value("SELECT CAST(extract(epoch FROM ended_at) * 1000 AS bigint) FROM stay")
    assert ended == CLOSING_MS


async def test_a_second_run_and_a_second_server_close_nothing_again(books: Books) -> None:
    desk = await books.desk()
    await push(books.world, desk, desk.check_in(await books.person("C-1")))
    books.clock.set_wall_ms(CLOSING_MS + 2 * HOUR_MS)
    job = auto_close(books)
    assert [await job.run(), await job.run(), await auto_close(books).run()] == [1, 0, 0]
    assert await books.value("SELECT count(*) FROM attendance_event WHERE kind = 'auto_close'") == 1


async def test_the_real_departure_takes_the_place_of_the_assumed_one(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    await push(books.world, desk, desk.check_in(child))
    books.clock.set_wall_ms(CLOSING_MS + 2 * HOUR_MS)
    await auto_close(books).run()
    await push(books.world, desk, desk.check_out(child, minute=90))
    assert await stays(books) == [(False, False)]
    assert await books.value("SELECT count(*) FROM review") == 0


async def test_who_came_after_closing_is_not_closed_until_the_next_one(books: Books) -> None:
    desk = await books.desk()
    books.clock.set_wall_ms(CLOSING_MS + 2 * HOUR_MS)
    await push(books.world, desk, desk.check_in(await books.person("C-1"), minute=120))
    assert await auto_close(books).run() == 0
    books.clock.set_wall_ms(CLOSING_MS + 26 * HOUR_MS)
    assert await auto_close(books).run() == 1


async def test_a_centre_without_a_closing_time_closes_nobody(books: Books) -> None:
    desk = await books.desk("oak")
    await push(books.world, desk, desk.check_in(await books.person("C-3", "oak")))
    books.clock.set_wall_ms(CLOSING_MS + 26 * HOUR_MS)
    assert await auto_close(books).run() == 0


async def test_what_the_server_wrote_down_is_proved_like_everything_else(books: Books) -> None:
    desk = await books.desk()
    await push(books.world, desk, desk.check_in(await books.person("C-1")))
    books.clock.set_wall_ms(CLOSING_MS + 2 * HOUR_MS)
    await auto_close(books).run()
    center_id = await books.center("elm")
    assert (await Verification(books.owner.units).check(center_id)).findings == []
    rebuilt = await Projections(books.world.units).rebuild(center_id)
    assert (rebuilt.wrong_stays, rebuilt.wrong_reviews) == (0, 0)
