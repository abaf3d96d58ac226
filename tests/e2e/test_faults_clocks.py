"""A desk whose clock stands at 1970, 2038 or 2231, or jumps while it runs: delivered, in order, both times kept.

No machine is later than 2232: Linux refuses to set its clock beyond it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults.lies import Liar
from tests.support.faults.shared import Shared
from tests.support.faults.worlds import FaultDesk, FaultWorld

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.asyncio(loop_scope="module")]

LIES = ("@1970-01-02 03:00:00", "@2038-01-19 03:14:05", "@2231-12-31 12:00:00", "-3h", "+2d")
JUMPS = ("@2038-01-19 03:14:05", "-3h", "@1970-01-02 03:00:00", "+2d")
RECEIVED_WITHIN = timedelta(minutes=5)


async def _restart_linked(desk: FaultDesk) -> None:
    await desk.stop()
    since = len(desk.lines)
    await desk.start()
    await desk.linked(since=since)


async def _check_in_applied(desk: FaultDesk, child: str) -> str:
    line = await desk.press(child)
    assert line is not None
    assert line["event"] == "recorded", line
    assert (await desk.confirmed(line["event_id"]))["outcome"] == "applied"
    event_id: str = line["event_id"]
    return event_id


async def _seen_today(world: FaultWorld) -> dict[str, dict[str, Any]]:
    return {event["event_id"]: event for event in await world.events()}


@pytest.mark.parametrize("lie", LIES)
async def test_a_desk_with_a_wrong_clock_records_delivers_and_keeps_both_times(
    lie: str, shared: Shared, tmp_path: Path
) -> None:
    world, one, two = shared
    liar = Liar(one, tmp_path)
    before, first, last = await two.absent(3)
    before_id = await _check_in_applied(two, before)
    liar.claim(lie)
    await _restart_linked(one)
    wrong_id = await _check_in_applied(one, first)
    await two.until(lambda line: line.get("event_id") == wrong_id)
    # Half a second would be within the error of what the desk knows of its clock.
    a_minute_later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat(timespec="milliseconds")
    line = await two.press(first, "check_out", at=a_minute_later)
    assert line is not None
    assert line["event"] == "recorded", line
    last_id = await _check_in_applied(two, last)
    await world.check_nothing_lost_or_doubled()
    seen = await _seen_today(world)
    assert {before_id, wrong_id, last_id} <= seen.keys()  # the wrong clock put nothing on another day
    now = datetime.now(UTC)
    assert abs(datetime.fromisoformat(seen[wrong_id]["received_at"]) - now) < RECEIVED_WITHIN
    claimed = datetime.fromisoformat(seen[wrong_id]["recorded_at"])
    if "1970" not in lie and "2231" not in lie:  # no event may carry those; the journal's entry does
        assert abs(claimed - now) > timedelta(hours=2)
    (child,) = (each for each in (await world.attendance())["children"] if each["child_id"] == first)
    assert (child["status"], len(child["stays"])) == ("out", 1)
    assert child["findings"] == []


async def test_a_clock_that_jumps_back_and_forth_refuses_nothing_and_puts_nothing_on_another_day(
    shared: Shared,
    tmp_path: Path,
) -> None:
    world, one, _ = shared
    liar = Liar(one, tmp_path, jumps=True)
    await _restart_linked(one)
    children = iter(await one.absent(2 + len(JUMPS)))
    recorded = [await _check_in_applied(one, next(children))]
    for lie in JUMPS:
        liar.claim(lie)
        recorded.append(await _check_in_applied(one, next(children)))
    liar.tell_the_truth()
    recorded.append(await _check_in_applied(one, next(children)))
    await world.check_nothing_lost_or_doubled()
    assert set(recorded) <= (await _seen_today(world)).keys()
