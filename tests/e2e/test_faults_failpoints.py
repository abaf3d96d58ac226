"""Server and desk kill themselves at named points around commit and acknowledgement: nothing is lost or doubled."""

from pathlib import Path

import pytest

from tests.support.faults.worlds import FaultDesk, fault_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SERVER_POINTS = (
    "server.push.before_commit:2",
    "server.push.after_commit:2",
    "server.send.PushStored:2",
    "server.sent.PushStored:2",
    "server.send.Page:2",
    "server.sent.Page:2",
)
DESK_POINTS = (
    "kiosk.record.before_commit:2",
    "kiosk.record.after_commit:2",
    "kiosk.told.recorded:2",
    "kiosk.told.confirmed:2",
    "kiosk.send.Push:1",
    "kiosk.sent.Push:1",
    "kiosk.outcomes.before_commit:1",
    "kiosk.outcomes.after_commit:1",
    "kiosk.page.statement:3",
    "kiosk.page.before_commit:1",
    "kiosk.page.after_commit:1",
    "kiosk.sent.Applied:1",
)
SNAPSHOT_POINTS = (
    "kiosk.snapshot.statement:2",
    "kiosk.snapshot.before_commit:1",
    "kiosk.snapshot.after_commit:1",
)


@pytest.mark.parametrize("point", SERVER_POINTS)
async def test_a_server_killed_at_a_failpoint_loses_and_doubles_nothing(point: str, tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, _two):
        await world.stop_server()
        await world.start_failing_server(point)
        await world.restart_desks()
        await world.press_until_server_is_killed()
        await world.start_server()
        await world.check_nothing_lost_or_doubled()
        assert one.recorded


@pytest.mark.parametrize("point", DESK_POINTS)
async def test_a_desk_killed_at_a_failpoint_loses_and_doubles_nothing(point: str, tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        children = await one.absent(8)
        await one.stop()
        for child in children[:4]:  # one page of several changes waits for the desk that will be killed
            await two.press(child)
        await one.start_failing(point)
        for child in children[4:]:
            await one.press(child)
        await one.killed()
        await one.start()
        await world.check_nothing_lost_or_doubled()
        await _check_the_desk_goes_on(one)
        await world.check_nothing_lost_or_doubled()


@pytest.mark.parametrize("point", SNAPSHOT_POINTS)
async def test_a_desk_killed_in_a_snapshot_takes_it_again(point: str, tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        for child in await one.absent(3):
            await one.press(child)
        await world.check_nothing_lost_or_doubled()
        await two.stop()
        for left in two.data.glob("replica.db*"):
            left.unlink()
        await two.start_failing(point)
        await two.killed()
        await two.start()
        await two.until(lambda line: line["event"] == "resync")
        await world.check_nothing_lost_or_doubled()
        await _check_the_desk_goes_on(two)
        await world.check_nothing_lost_or_doubled()


async def _check_the_desk_goes_on(desk: FaultDesk) -> None:
    (child,) = await desk.absent(1)
    line = await desk.press(child)
    assert line is not None
    assert line["event"] == "recorded"
