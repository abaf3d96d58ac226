"""strace kills desk, server and PostgreSQL at their N-th write, sync or send, and lets writes and syncs fail.

ROLLCALL_FAULT_SEED replays the places, ROLLCALL_FAULT_ROUNDS (default 3) says how many kills each test makes.
"""

import os
import re
from pathlib import Path
from random import Random

import pytest

from tests.support.faults.shared import Shared
from tests.support.faults.trace import injected, needs_strace
from tests.support.faults.worlds import FaultDesk, FaultWorld, postgres_pids

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

SEED = int(os.environ.get("ROLLCALL_FAULT_SEED", "20261124"))
ROUNDS = int(os.environ.get("ROLLCALL_FAULT_ROUNDS", "3"))
# About as many calls of each kind are made by one check-in with its acknowledgement and its page.
DESK_CALLS = {"pwrite64": 24, "fsync": 6, "sendto": 4}
# What SQLite was built to sync with differs from one machine to another.
TWINS = {"fsync": ("fsync", "fdatasync")}
PRESSES_MAX = 40


@pytest.fixture(autouse=True)
def _strace() -> None:
    needs_strace()
    print(f"ROLLCALL_FAULT_SEED={SEED} ROLLCALL_FAULT_ROUNDS={ROUNDS}")


async def _press_until_gone(desk: FaultDesk, children: list[str]) -> None:
    """Check children in and out until the agent is killed in the middle of it, be it before the first key."""
    for number in range(PRESSES_MAX):
        kind = "check_in" if number % 2 == 0 else "check_out"
        if await desk.press(children[number // 2], kind) is None:
            return
    await desk.killed()


async def test_a_desk_killed_at_any_write_sync_or_send_loses_and_doubles_nothing(
    shared: Shared, tmp_path: Path
) -> None:
    world, one, _ = shared
    for call, calls_max in DESK_CALLS.items():
        luck = Random(f"{SEED} {call}")
        for _ in range(ROUNDS):
            when = luck.randint(1, calls_max)
            print(f"desk 1 is killed at its {call} number {when}")
            kills = [f"{each}:signal=KILL:when={when}" for each in TWINS.get(call, (call,))]
            # Asked before: a page that arrives by itself may be what kills the agent, and then nobody answers.
            children = [child["child_id"] for child in (await one.ask("roster"))["children"]]
            async with injected([one.pid], tmp_path / "trace", *kills):
                await _press_until_gone(one, children)
                await one.killed()
            await one.start()
        await world.check_nothing_lost_or_doubled()


async def test_a_server_killed_at_any_send_loses_and_doubles_nothing(shared: Shared, tmp_path: Path) -> None:
    luck = Random(f"{SEED} server")
    world, _one, _two = shared
    for _ in range(max(2, ROUNDS // 2)):
        when = luck.randint(1, 12)
        print(f"the server is killed at its send number {when}")
        assert world.server is not None
        sends = [f"{call}:signal=KILL:when={when}" for call in ("sendto", "sendmsg", "write", "writev")]
        async with injected([world.server.process.pid], tmp_path / "trace", *sends):
            await world.press_until_server_is_killed()
        await world.start_server()
        await world.restart_desks()
    await world.check_nothing_lost_or_doubled()


async def test_a_postgresql_process_killed_at_any_write_or_sync_loses_and_doubles_nothing(
    shared: Shared, tmp_path: Path
) -> None:
    world, one, _two = shared
    for call in ("fdatasync", "pwrite64"):
        luck = Random(f"{SEED} postgres {call}")
        for _ in range(max(2, ROUNDS // 2)):
            when = luck.randint(1, 3)
            print(f"a PostgreSQL process is killed at its {call} number {when}")
            await _confirm_until_postgresql_is_killed(world, one, tmp_path / "trace", f"{call}:signal=KILL:when={when}")
        await world.until_ready()
        await world.check_nothing_lost_or_doubled()


async def _confirm_until_postgresql_is_killed(world: FaultWorld, desk: FaultDesk, trace: Path, kill: str) -> None:
    async with injected(postgres_pids(world.folder), trace, kill):
        for child in await desk.absent(PRESSES_MAX // 4):
            line = await desk.press(child)
            assert line is not None
            await desk.confirmed(line["event_id"])
            if "killed by SIGKILL" in trace.read_text():
                break
    assert "killed by SIGKILL" in trace.read_text()


async def test_a_sync_that_fails_is_refused_clearly_and_final_for_that_handle(shared: Shared, tmp_path: Path) -> None:
    world, one, _ = shared
    first, second, third = await one.absent(3)
    await one.press(first)
    await world.check_nothing_lost_or_doubled()
    one.link.cut()  # nothing but the check-in writes now
    trace = tmp_path / "trace"
    failure = ("fdatasync:error=EIO:when=1", "fsync:error=EIO:when=1")
    async with injected([one.pid], trace, *failure, also="pwrite64,close"):
        line = await one.press(second)
        assert line is not None
        assert (line["event"], line["code"]) == ("error", "storage_failed")
        assert await _is_in(one, first)
        if not await _is_in(one, second):  # a broken COMMIT may have happened: the desk says so and shows it
            await one.press(second)
        line = await one.press(third)
        assert line is not None
        assert line["event"] == "recorded", line
    _check_nothing_was_written_by_the_same_handle(trace.read_text())
    one.link.reopen()
    await world.check_nothing_lost_or_doubled()
    assert await _is_in(one, second)


async def test_syncs_that_go_on_failing_are_refused_each_time_and_the_desk_recovers_by_itself(
    shared: Shared, tmp_path: Path
) -> None:
    world, one, _ = shared
    first, second = await one.absent(2)
    await one.press(first)
    failure = ("fdatasync:error=EIO", "fsync:error=EIO")
    async with injected([one.pid], tmp_path / "trace", *failure):
        for _ in range(3):
            line = await one.press(second)
            assert line is not None
            assert (line["event"], line["code"]) == ("error", "storage_failed")
        assert await _is_in(one, first)
    await _record_again(one, second)
    await world.check_nothing_lost_or_doubled()


async def test_a_write_without_room_is_refused_clearly_and_works_again_once_there_is_room(
    shared: Shared, tmp_path: Path
) -> None:
    world, one, _ = shared
    first, second = await one.absent(2)
    await one.press(first)
    log = one.data / "replica.db-wal"
    async with injected([one.pid], tmp_path / "trace", "pwrite64:error=ENOSPC", only=log):
        for _ in range(3):
            line = await one.press(second)
            assert line is not None
            assert (line["event"], line["code"]) == ("error", "storage_full")
        assert await _is_in(one, first)
        assert not await _is_in(one, second)
    line = await one.press(second)
    assert line is not None
    assert line["event"] == "recorded", line
    await world.check_nothing_lost_or_doubled()


async def _record_again(desk: FaultDesk, child: str) -> None:
    """After "look at the roster before doing it again": do so."""
    if not await _is_in(desk, child):
        line = await desk.press(child)
        assert line is not None
        assert line["event"] == "recorded", line


async def _is_in(desk: FaultDesk, child: str) -> bool:
    return any(each["child_id"] == child and each["status"] == "in" for each in (await desk.ask("roster"))["children"])


def _check_nothing_was_written_by_the_same_handle(trace: str) -> None:
    """After the failed sync of a descriptor nothing is written by it until it is closed, and then there is a fresh one.

    SQLite may sync once more as it closes, for what earlier syncs made durable; no new entry rests on that.
    """
    failed = re.search(r"sync\((\d+)<[^>]*-wal>\) += -1 EIO", trace)
    assert failed, trace[-2000:]
    until_closed, closed, after = trace[failed.end() :].partition(f"close({failed[1]}<")
    assert closed, until_closed[-2000:]
    assert f"pwrite64({failed[1]}<" not in until_closed
    assert re.search(r"sync\(\d+<[^>]*-wal>\) += 0", after)
