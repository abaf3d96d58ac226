"""Stays and reviews in tables are, after every push, what a fold of everything from scratch comes to."""

import random
import uuid
from collections.abc import AsyncIterator

import pytest

from server.services.projections import Projections, Rebuilt
from sync.attendance import Correction, EventKind
from sync.journal import Entry
from tests.contract.server_world import MINUTE_MS, NOW_MS, Desk, new_id, push
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres

DAY_MINUTES = 24 * 60
PUSHES = 14
KINDS = (
    *[EventKind.CHECK_IN] * 6, *[EventKind.CHECK_OUT] * 6, EventKind.ROOM_MOVE, EventKind.AUTO_CLOSE,
    EventKind.VOID, EventKind.CORRECT, EventKind.REVIEW_RESOLVED,
)  # fmt: skip


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        yield opened


async def rebuilt(books: Books, code: str = "elm") -> Rebuilt:
    """Fold everything again, and say what was not as it should be."""
    return await Projections(books.world.units).rebuild(await books.center(code))


async def stays(books: Books, child: str = "C-1") -> list[tuple[int, bool, bool]]:
    """Number, open or not, assumed or not, of each stay of a child."""
    found = await books.rows(
        "SELECT ordinal, ended_at IS NULL AS is_open, assumed FROM stay WHERE subject_id = :child ORDER BY ordinal",
        child=await books.person(child),
    )
    return [(row.ordinal, row.is_open, row.assumed) for row in found]


async def reviews(books: Books, child: str = "C-1") -> list[tuple[str, str, str]]:
    """Kind, severity and state of each review of a child."""
    found = await books.rows(
        "SELECT kind, severity, state FROM review WHERE subject_id = :child ORDER BY kind, finding",
        child=await books.person(child),
    )
    return [(row.kind, row.severity, row.state) for row in found]


@pytest.mark.parametrize("seed", range(12))
async def test_tables_are_the_fold_of_everything_whatever_arrives_in_what_order(books: Books, seed: int) -> None:
    luck = random.Random(seed)
    desks = [await books.desk() for _ in range(3)]
    children = [await books.person("C-1"), await books.person("C-2")]
    recorded: list[str] = []
    for number in range(PUSHES):
        desk = luck.choice(desks)
        entries = [_anything(luck, desk, luck.choice(children), recorded) for _ in range(luck.randint(1, 4))]
        await push(books.world, desk, *entries)
        found = await rebuilt(books)
        assert (found.wrong_stays, found.wrong_reviews) == (0, 0), f"seed {seed}, push {number}"
    assert await books.value("SELECT count(*) FROM stay") > 0


def _anything(luck: random.Random, desk: Desk, child_id: str, recorded: list[str]) -> Entry:
    """An event of the last four days; acts name anything, also what has not arrived, and one another."""
    kind = luck.choice(KINDS)
    event_id = luck.choice(recorded) if recorded and luck.random() < 0.02 else new_id()
    named = tuple({luck.choice(recorded) if recorded and luck.random() < 0.8 else new_id() for _ in range(2)})
    minute = -luck.randrange(4) * DAY_MINUTES + luck.randrange(0, 600, 5)
    more: dict[str, object] = {}
    if kind is EventKind.ROOM_MOVE:
        more = {"to_room_id": new_id()}
    elif kind is EventKind.VOID:
        more = {"supersedes": named}
    elif kind is EventKind.CORRECT:
        at_ms = NOW_MS + (-luck.randrange(4) * DAY_MINUTES + luck.randrange(600)) * MINUTE_MS
        more = {"supersedes": named, "corrected": Correction(occurred_at_ms=at_ms)}
    elif kind is EventKind.REVIEW_RESOLVED:
        more = {"finding": ":".join(("two_collectors", *sorted(named))), "answer": "so_it_was"}
    if kind is EventKind.CHECK_OUT:
        more = {"adult_name": luck.choice(["", "Ann", "Bob"])}
    recorded.append(event_id)
    return desk.record(child_id, kind, minute=minute, event_id=event_id, **more)


async def test_an_act_about_an_event_that_comes_later_changes_the_stay_it_makes(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    early, late = new_id(), new_id()
    await push(books.world, desk, desk.check_in(child, minute=0), desk.check_out(child, minute=30))
    await push(books.world, desk, desk.event(child, EventKind.VOID, minute=40, supersedes=(early, late)))
    await push(books.world, desk, desk.check_in(child, minute=60, event_id=late))
    assert await stays(books) == [(0, False, False)]
    await push(books.world, desk, desk.check_in(child, minute=-60, event_id=early))
    assert await stays(books) == [(0, False, False)]
    assert (await rebuilt(books)).wrong_stays == 0


async def test_an_arrival_that_was_corrected_before_it_came_makes_its_stay_where_the_correction_says(
    books: Books,
) -> None:
    desk, child, late = await books.desk(), await books.person("C-1"), new_id()
    await push(books.world, desk, desk.check_in(child, minute=0), desk.check_out(child, minute=30))
    said = Correction(occurred_at_ms=NOW_MS - 120 * MINUTE_MS)
    await push(books.world, desk, desk.event(child, EventKind.CORRECT, minute=40, supersedes=(late,), corrected=said))
    await push(books.world, desk, desk.check_in(child, minute=60, event_id=late))
    assert await books.value("SELECT stay_id FROM stay WHERE ordinal = 0") == uuid.UUID(late)
    assert (await rebuilt(books)).wrong_stays == 0


async def test_a_correction_that_moves_an_arrival_before_the_span_moves_the_stay(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    moved = new_id()
    for day in (2, 1):
        at = -day * DAY_MINUTES
        await push(books.world, desk, desk.check_in(child, minute=at), desk.check_out(child, minute=at + 30))
    await push(books.world, desk, desk.check_in(child, minute=0, event_id=moved))
    said = Correction(occurred_at_ms=NOW_MS - 3 * DAY_MINUTES * MINUTE_MS)
    await push(books.world, desk, desk.event(child, EventKind.CORRECT, minute=5, supersedes=(moved,), corrected=said))
    assert await stays(books) == [(0, False, False), (1, False, False)]
    assert (await reviews(books))[0][0] == "possible_missed_check_out"
    assert (await rebuilt(books)).wrong_stays == 0


async def test_a_stay_that_did_not_change_is_not_written_again(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    await push(books.world, desk, desk.check_in(child, minute=0), desk.check_out(child, minute=30))
    written = await books.value("SELECT CAST(xmin AS text) FROM stay WHERE ordinal = 0")
    await push(books.world, desk, desk.check_in(child, minute=DAY_MINUTES))
    assert await stays(books) == [(0, False, False), (1, True, False)]
    assert await books.value("SELECT CAST(xmin AS text) FROM stay WHERE ordinal = 0") == written
    await push(books.world, desk, desk.check_out(child, minute=40))
    assert await books.value("SELECT CAST(xmin AS text) FROM stay WHERE ordinal = 0") != written
    assert (await rebuilt(books)).wrong_stays == 0


async def test_a_review_goes_when_what_it_was_about_is_voided(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    wrong = new_id()
    await push(books.world, desk, desk.check_in(child, minute=0), desk.check_out(child, minute=30, adult_name="Ann"))
    await push(books.world, desk, desk.check_out(child, minute=33, adult_name="Bob", event_id=wrong))
    assert await reviews(books) == [("two_collectors", "critical", "open")]
    await push(books.world, desk, desk.event(child, EventKind.VOID, minute=40, supersedes=(wrong,)))
    assert await reviews(books) == []


async def test_an_answer_closes_a_review_and_stays(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    await push(books.world, desk, desk.check_out(child, minute=30))
    key = await books.value("SELECT finding FROM review")
    answer = desk.event(child, EventKind.REVIEW_RESOLVED, minute=40, finding=key, answer="so_it_was")
    await push(books.world, desk, answer)
    assert await reviews(books) == [("check_out_without_check_in", "normal", "answered")]
    assert await books.value("SELECT answered_by FROM review") is not None
    assert (await rebuilt(books)).wrong_reviews == 0


async def test_a_rebuild_mends_what_somebody_changed_and_says_how_much_it_was(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    await push(
        books.world, desk, desk.check_in(child), desk.check_out(child, minute=30), desk.check_out(child, minute=90)
    )
    await books.tamper("UPDATE stay SET ended_at = ended_at + interval '1 hour' WHERE ordinal = 0")
    await books.tamper("DELETE FROM review")
    assert await rebuilt(books) == Rebuilt(subjects=1, wrong_stays=1, wrong_reviews=1)
    assert await rebuilt(books) == Rebuilt(subjects=1, wrong_stays=0, wrong_reviews=0)


async def test_a_wrong_row_that_a_push_goes_on_from_is_noticed_and_the_whole_is_folded(books: Books) -> None:
    desk, child = await books.desk(), await books.person("C-1")
    await push(books.world, desk, desk.check_in(child), desk.check_out(child, minute=30))
    await books.tamper("UPDATE stay SET stay_id = gen_random_uuid()")
    other = await books.desk()
    other_world = books.owner
    await push(other_world, other, other.check_in(child, minute=60))
    assert await stays(books) == [(0, False, False), (1, True, False)]
    assert (await rebuilt(books)).wrong_stays == 0


async def test_only_centres_of_other_rules_are_outdated(books: Books) -> None:
    projections = Projections(books.world.units)
    await push(books.world, desk := await books.desk(), desk.check_in(await books.person("C-1")))
    assert set(await projections.outdated()) == {await books.center("elm"), await books.center("oak")}
    await rebuilt(books)
    assert await projections.outdated() == [await books.center("oak")]
