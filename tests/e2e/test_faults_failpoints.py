"""Server and desk kill themselves at named points around commit and acknowledgement: nothing is lost or doubled.

Points follow one another in one world, which takes longer to make than a kill: what was recorded under the first is
still to be there after the last.
"""

import pytest

from tests.support.faults.shared import Shared
from tests.support.faults.worlds import FaultDesk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

SERVER_POINTS = {
    "push": ("server.push.before_commit:2", "server.push.after_commit:2", "server.send.PushStored:2"),
    "page": ("server.sent.PushStored:2", "server.send.Page:2", "server.sent.Page:2"),
}
DESK_POINTS = {
    "record": (
        "kiosk.record.before_commit:2",
        "kiosk.record.after_commit:2",
        "kiosk.told.recorded:2",
        "kiosk.told.confirmed:2",
    ),
    "push": (
        "kiosk.send.Push:1",
        "kiosk.sent.Push:1",
        "kiosk.outcomes.before_commit:1",
        "kiosk.outcomes.after_commit:1",
    ),
    "page": (
        "kiosk.page.statement:3",
        "kiosk.page.before_commit:1",
        "kiosk.page.after_commit:1",
        "kiosk.sent.Applied:1",
    ),
}
SNAPSHOT_POINTS = (
    "kiosk.snapshot.statement:2",
    "kiosk.snapshot.before_commit:1",
    "kiosk.snapshot.after_commit:1",
)


@pytest.mark.parametrize("around", SERVER_POINTS)
async def test_a_server_killed_at_a_failpoint_loses_and_doubles_nothing(around: str, shared: Shared) -> None:
    world, one, _two = shared
    for point in SERVER_POINTS[around]:
        await world.stop_server()
        await world.start_failing_server(point)
        await world.restart_desks()
        await world.press_until_server_is_killed()
        await world.start_server()
        await world.check_nothing_lost_or_doubled()
        assert one.recorded, point


@pytest.mark.parametrize("around", DESK_POINTS)
async def test_a_desk_killed_at_a_failpoint_loses_and_doubles_nothing(around: str, shared: Shared) -> None:
    world, one, two = shared
    for point in DESK_POINTS[around]:
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


async def test_a_desk_killed_in_a_snapshot_takes_it_again(shared: Shared) -> None:
    world, one, two = shared
    for point in SNAPSHOT_POINTS:
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
    assert line["event"] == "recorded", line
