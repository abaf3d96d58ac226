"""Two desks, a server and its PostgreSQL as real processes, killed at awkward moments: nothing is lost or doubled."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import Desk, World, running_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


async def _children(desk: Desk, count: int) -> list[str]:
    roster = (await desk.ask("roster"))["children"]
    return [child["child_id"] for child in roster if child["status"] != "in"][:count]


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


async def test_check_ins_made_with_a_cut_link_reach_everyone_once_with_their_times(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = await _children(one, 6)
        two.switch.cut()
        recorded = [await two.check_in(child) for child in children[:4]]
        recorded += [await one.check_in(child) for child in children[3:6]]
        assert (await two.ask("status"))["waiting"] == 4
        two.switch.restore()
        for line in recorded[:4]:
            assert (await two.confirmed(line["event_id"]))["outcome"] == "applied"
        await one.until(lambda line: line["event"] == "change" and line["event_id"] == recorded[0]["event_id"])
        await _check_exactly_once(world, recorded)
        present = {child["child_id"] for child in (await world.attendance())["children"] if child["status"] == "in"}
        assert present == set(children)


async def test_a_desk_starts_finds_and_records_while_the_server_is_stopped(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = await _children(one, 3)
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


async def test_the_server_killed_while_two_desks_push_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = await _children(one, 40)
        recorded: list[dict[str, Any]] = []

        async def play(desk: Desk, mine: list[str]) -> None:
            for child in mine:
                line = await desk.check_in(child)
                recorded.append(line)

        playing = asyncio.gather(play(one, children[:20]), play(two, children[20:]))
        for _ in range(3):
            await _until_some_are_confirmed(one, two, more=2)
            await world.kill_server()
            await world.start_server()
        await playing
        await world.sign_in()
        for line in recorded:
            desk = one if line["child_id"] in children[:20] else two
            await desk.confirmed(line["event_id"])
        await _check_exactly_once(world, recorded)


async def _until_some_are_confirmed(one: Desk, two: Desk, *, more: int) -> None:
    """Wait for a few more acknowledgements, or until all that was recorded has one."""

    def count(kind: str) -> int:
        return sum(line["event"] == kind for desk in (one, two) for line in desk.lines)

    wanted = count("confirmed") + more
    async with asyncio.timeout(60):
        while count("confirmed") < wanted and (count("recorded") < 40 or count("confirmed") < 40):
            await asyncio.sleep(0.02)


async def test_a_desk_killed_right_after_it_said_recorded_still_has_the_entry(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one = world.desks[0]
        recorded = []
        for child in await _children(one, 3):
            one.switch.cut()
            recorded.append(await one.check_in(child))
            await one.kill()
            one.switch.restore()
            await one.start()
        for line in recorded:
            await one.confirmed(line["event_id"])
        await _check_exactly_once(world, recorded)


async def test_postgresql_killed_under_load_is_brought_back_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        children = await _children(one, 12)
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


async def test_both_desks_apart_on_one_child_agree_afterwards(tmp_path: Path) -> None:
    async with running_world(tmp_path, "Desk 1", "Desk 2") as world:
        one, two = world.desks
        child = (await _children(one, 1))[0]
        two.switch.cut()
        recorded = [await one.check_in(child), await two.check_in(child)]
        two.switch.restore()
        for desk, line in zip(world.desks, recorded, strict=True):
            await desk.confirmed(line["event_id"])
        await _check_exactly_once(world, recorded)
        shown = next(c for c in (await world.attendance())["children"] if c["child_id"] == child)
        assert shown["status"] == "in"
        assert len(shown["stays"]) == 1
        assert len(shown["events"]) == 2
