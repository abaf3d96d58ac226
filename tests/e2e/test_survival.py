"""Two desks, a server and its PostgreSQL as real processes, killed at awkward moments: nothing is lost or doubled."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.faults.shared import Shared
from tests.support.world import Desk, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.asyncio(loop_scope="module")]

CHILDREN = 24


async def _check_exactly_once(world: World, recorded: list[dict[str, Any]]) -> None:
    """Every recorded event is on the server once, at its original time, and on all replicas."""
    await world.until_equal()
    events = await world.events()
    counted = Counter(event["event_id"] for event in events)
    assert {line["event_id"]: counted[line["event_id"]] for line in recorded} == {
        line["event_id"]: 1 for line in recorded
    }
    times = {event["event_id"]: datetime.fromisoformat(event["occurred_at"]) for event in events}
    for line in recorded:
        assert times[line["event_id"]] == datetime.fromisoformat(line["at"])


async def test_check_ins_made_with_a_cut_link_reach_everyone_once_with_their_times(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(6)
    two.link.cut()
    recorded = [await two.check_in(child) for child in children[:4]]
    recorded += [await one.check_in(child) for child in children[3:6]]
    assert (await two.ask("status"))["waiting"] == 4
    two.link.reopen()
    for line in recorded[:4]:
        assert (await two.confirmed(line["event_id"]))["outcome"] == "applied"
    await one.until(lambda line: line["event"] == "change" and line["event_id"] == recorded[0]["event_id"])
    await _check_exactly_once(world, recorded)
    present = {child["child_id"] for child in (await world.attendance())["children"] if child["status"] == "in"}
    assert set(children) <= present


async def test_a_desk_starts_finds_and_records_while_the_server_is_stopped(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(3)
    await one.stop()
    await world.stop_server()
    await one.start()
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="milliseconds")
    recorded = [await one.check_in(children[0], at=an_hour_ago), await one.check_in(children[1])]
    recorded.append(await one.check_out(children[1]))
    await world.start_server()
    for line in recorded:
        await one.confirmed(line["event_id"])
    await two.until(lambda line: line["event"] == "change" and line["event_id"] == recorded[0]["event_id"])
    await world.sign_in()
    await _check_exactly_once(world, recorded)


async def test_the_server_killed_while_two_desks_push_loses_and_doubles_nothing(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(CHILDREN)
    recorded: list[dict[str, Any]] = []

    async def play(desk: Desk, mine: list[str]) -> None:
        for child in mine:
            line = await desk.check_in(child)
            recorded.append(line)

    playing = asyncio.gather(play(one, children[: CHILDREN // 2]), play(two, children[CHILDREN // 2 :]))
    for _ in range(3):
        await _until_some_are_confirmed((one, two), recorded, more=2)
        await world.kill_server()
        await world.start_server()
    await playing
    await world.sign_in()
    for line in recorded:
        desk = one if line["child_id"] in children[: CHILDREN // 2] else two
        await desk.confirmed(line["event_id"])
    await _check_exactly_once(world, recorded)


async def _until_some_are_confirmed(desks: Sequence[Desk], recorded: list[dict[str, Any]], *, more: int) -> None:
    """Wait for a few more acknowledgements, or until all that will be recorded has one."""

    def count() -> int:
        confirmed = {line["event_id"] for desk in desks for line in desk.lines if line["event"] == "confirmed"}
        return sum(line["event_id"] in confirmed for line in recorded)

    wanted = min(count() + more, CHILDREN)
    async with asyncio.timeout(60):
        while count() < wanted:
            await asyncio.sleep(0.02)


async def test_a_desk_killed_right_after_it_said_recorded_still_has_the_entry(shared: Shared) -> None:
    world, one, _two = shared
    recorded = []
    for child in await one.absent(3):
        one.link.cut()
        recorded.append(await one.check_in(child))
        await one.kill()
        one.link.reopen()
        await one.start()
    for line in recorded:
        await one.confirmed(line["event_id"])
    await _check_exactly_once(world, recorded)


async def test_postgresql_killed_under_load_is_brought_back_and_nothing_is_lost(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(12)
    recorded = [await one.check_in(child) for child in children[:4]]
    world.kill_postgres()
    recorded += [await one.check_in(child) for child in children[4:8]]
    recorded += [await two.check_in(child) for child in children[8:]]
    for line in recorded:
        desk = one if line["child_id"] in children[:8] else two
        await desk.confirmed(line["event_id"])
    async with asyncio.timeout(60):
        while not await world.is_ready():
            await asyncio.sleep(0.1)
    await _check_exactly_once(world, recorded)


async def test_both_desks_apart_on_one_child_agree_afterwards(shared: Shared) -> None:
    world, one, two = shared
    child = (await one.absent(1))[0]
    two.link.cut()
    recorded = [await one.check_in(child), await two.check_in(child)]
    two.link.reopen()
    for desk, line in zip(world.desks, recorded, strict=True):
        await desk.confirmed(line["event_id"])
    await _check_exactly_once(world, recorded)
    shown = next(c for c in (await world.attendance())["children"] if c["child_id"] == child)
    assert shown["status"] == "in"
    assert len(shown["stays"]) == 1
    assert len(shown["events"]) == 2
