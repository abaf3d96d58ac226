"""Deployments, stopped processes and a database that is away: told honestly, delivered afterwards.

ROLLCALL_FAULT_STOP_SECONDS (default 3) says how long a process stands still.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.faults.shared import Shared
from tests.support.faults.worlds import postgres_pids
from tests.support.world import DEADLINE_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

STOP_S = float(os.environ.get("ROLLCALL_FAULT_STOP_SECONDS", "3"))
SENT_AWAY = ("the server is restarting", "the server asked to come back later")
DRAINED_S = 5.0
# The promise is 5 s; the rest is for a machine that runs other tests beside this one.
DELIVERED_S = 5.0 + 10.0
GROWTH_MAX_BYTES = 64 * 1024 * 1024


@contextmanager
def _standing_still(pids: Iterable[int]) -> Iterator[None]:
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _for_a_while() -> None:
    """A fault lasts; there is nothing to wait for but its end."""
    await asyncio.sleep(STOP_S)


async def test_a_deployment_sends_desks_away_drains_in_5_s_and_loses_nothing(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(20)
    for number, child in enumerate(children[:10]):
        await (one, two)[number % 2].press(child)
    assert world.server is not None
    since = {desk: len(desk.lines) for desk in (one, two)}
    began_at = time.monotonic()
    world.server.process.terminate()
    for number, child in enumerate(children[10:]):
        await (one, two)[number % 2].press(child)
    for desk in (one, two):
        line = await desk.until(lambda line: line.get("link") == "offline", since=since[desk])
        assert line["detail"] in SENT_AWAY
    drained_s = time.monotonic() - began_at
    async with asyncio.timeout(DEADLINE_S):
        status = await world.server.process.wait()
    print(f"desks were sent away within {drained_s:.1f} s; the server ended after {time.monotonic() - began_at:.1f}")
    assert drained_s < DRAINED_S
    assert time.monotonic() - began_at < 2 * DRAINED_S
    assert status == 0
    await world.start_server()
    await world.check_nothing_lost_or_doubled()


async def test_a_server_that_stood_still_goes_on_where_it_was(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(8)
    for child in children[:4]:
        await one.press(child)
    assert world.server is not None
    with _standing_still([world.server.process.pid]):
        for child in children[4:]:
            await two.press(child)
        await _for_a_while()
    await world.check_nothing_lost_or_doubled()


async def test_a_desk_that_never_reads_delays_nobody_and_costs_the_server_no_memory(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(24)
    assert world.server is not None
    before = _resident_bytes(world.server.process.pid)
    slowest_s = 0.0
    with _standing_still([two.pid]):
        for child in children:
            pressed_at = time.monotonic()
            line = await one.press(child)
            assert line is not None
            await one.confirmed(line["event_id"])
            slowest_s = max(slowest_s, time.monotonic() - pressed_at)
        await _for_a_while()
        grown = _resident_bytes(world.server.process.pid) - before
    print(f"the slowest confirmation took {slowest_s * 1000:.0f} ms; the server grew by {grown // 1024} KiB")
    assert slowest_s < 2
    assert grown < GROWTH_MAX_BYTES
    await world.check_nothing_lost_or_doubled()


async def test_a_database_that_does_not_answer_turns_readyz_red_and_everything_is_delivered_after(
    shared: Shared,
) -> None:
    world, one, two = shared
    children = await one.absent(6)
    for child in children[:2]:
        await one.press(child)
    with _standing_still(postgres_pids(world.folder)):
        for number, child in enumerate(children[2:]):
            await (one, two)[number % 2].press(child)
        ready = await world.client.get("/readyz")
        assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(ready.headers["Retry-After"]) > 0
        assert (await world.client.get("/livez")).status_code == httpx.codes.OK
        answer = await world.client.get("/api/v1/attendance", params={"center_id": world.center_id})
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert int(answer.headers["Retry-After"]) > 0
        await _for_a_while()
    back_at = time.monotonic()
    await world.until_ready()
    for desk in (one, two):
        for event_id in desk.recorded:
            await desk.confirmed(event_id)
    print(f"delivered {time.monotonic() - back_at:.1f} s after the database answered again")
    assert time.monotonic() - back_at < DELIVERED_S
    await world.check_nothing_lost_or_doubled()


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
