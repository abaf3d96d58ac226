"""The tools around the simulator: a failing plan is made small and kept, and a fault that never comes is reported."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.simulation import regressions, report
from tests.simulation.crashes import POINTS
from tests.simulation.dialling import DIAL_TIMEOUT_MS, LEAP_MAX_MS, Tries
from tests.simulation.kept import Kept
from tests.simulation.luck import Luck
from tests.simulation.plan import AWAY, FAULTS, LASTING, Lane, Plan, Visit, lane_of
from tests.simulation.run import Result
from tests.simulation.shrink import shrink
from tests.simulation.weeks import draw


def _result(**changes: object) -> Result:
    result = Result(
        seed=1,
        trace_hash="",
        virtual_ms=1_000,
        cpu_s=0.5,
        lane=Lane.MEMORY,
        devices=2,
        healed_ms=0,
        counts={"entries": 3},
        faults=dict.fromkeys((*FAULTS, AWAY), 1),
        crash_points=dict.fromkeys(POINTS, 1),
    )
    return msgspec.structs.replace(result, **changes)


def test_a_failing_plan_is_made_as_small_as_what_it_takes() -> None:
    plan = draw(1)
    wanted = (plan.strikes[3].number, plan.visits[5].number)

    def fails(tried: Plan) -> bool:
        strikes = {strike.number for strike in tried.strikes}
        return wanted[0] in strikes and wanted[1] in {visit.number for visit in tried.visits}

    small, _ = shrink(plan, fails)
    assert [strike.number for strike in small.strikes] == [wanted[0]]
    assert [visit.number for visit in small.visits] == [wanted[1]]
    assert (small.devices, small.centers, small.children, small.edits) == (plan.visits[5].desk + 1, 1, 1, ())
    assert small.turmoil_ms < plan.turmoil_ms


def test_a_plan_that_fails_whatever_is_in_it_is_left_with_nothing() -> None:
    small, _ = shrink(draw(2), lambda _tried: True)
    assert (small.faults, small.workloads, small.strikes, small.visits, small.edits) == ((), (), (), (), ())


def test_a_planted_defect_is_shrunk_to_a_handful_and_kept(tmp_path: Path) -> None:
    drawn = draw(1)
    visits = tuple(Visit(number, 500 * number, number % drawn.devices) for number in range(1, 16))
    plan = msgspec.structs.replace(drawn, turmoil_ms=8_000, faults=(), strikes=(), visits=visits)
    shrunk = regressions.shrink_plan(plan, "push_flag_never_cleared", show=lambda _line: None)
    assert shrunk is not None
    small = shrunk.after.plan
    assert (len(small.visits), small.devices, small.centers, small.edits) <= (2, 1, 1, ())
    kept = regressions.load(regressions.keep(shrunk.after, tmp_path))
    assert kept == shrunk.after
    assert regressions.replay(kept).violation is None
    assert regressions.is_still_sharp(kept)


def test_a_kept_plan_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    kept = regressions.Regression(checker="bounded", what="", plan=draw(3))
    path = regressions.keep(kept, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"seed": 3', b'"seed": 4'))
    with pytest.raises(ValueError, match="should be called"):
        regressions.load(path)


def test_a_seed_that_holds_leaves_nothing_to_shrink() -> None:
    assert regressions.shrink_seed(1, show=lambda _line: None) is None


def test_a_fault_that_never_comes_in_many_seeds_is_reported() -> None:
    quiet = [_result(faults={}, crash_points={POINTS[0]: 1}) for _ in range(report.SEEDS_THAT_HAVE_ALL)]
    assert report.add_up(quiet).never() == [*FAULTS, AWAY, *POINTS[1:]]
    assert report.add_up([*quiet, _result()]).never() == []
    assert report.add_up(quiet[1:]).never() == []


def test_the_tables_hold_every_fault_and_every_crash_point() -> None:
    totals = report.add_up([_result(), _result(lane=Lane.CRASH_FILES)])
    page = report.markdown(totals, wall_s=2.0, jobs=2)
    assert all(f"| `{name}` | 2 |" in page for name in (*FAULTS, AWAY, *POINTS))
    assert "| seeds on crash files | 1 |" in page
    assert "| journal entries a second of one core | 6 |" in page


def test_a_plan_can_be_kept_and_read_again() -> None:
    plan = draw(60)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


def test_the_lanes_have_their_shares_of_the_seeds() -> None:
    lanes = Counter(lane_of(seed) for seed in range(1, 1_001))
    assert lanes == {Lane.CRASH_FILES: 50, Lane.POSTGRES: 10, Lane.MEMORY: 940}


def test_a_strike_of_every_fault_that_comes_and_goes_is_drawn() -> None:
    drawn = {strike.fault for seed in range(1, 301) for strike in draw(seed).strikes}
    assert drawn == set(FAULTS) - LASTING


def test_a_seed_that_lasts_for_weeks_is_told_of_as_such() -> None:
    weeks = _result(virtual_ms=8 * 24 * 3_600_000)
    rows = dict(report.add_up([_result(), weeks]).rows(wall_s=1.0, jobs=1))
    assert rows["seeds that last for weeks"] == "1"
    assert rows["virtual device-hours of the seeds that last for weeks"] == "384.0"


def test_desks_are_away_for_days_in_a_seed_that_lasts_for_weeks() -> None:
    plan = draw(25)
    assert plan.has("weeks")
    assert plan.turmoil_ms >= 7 * 24 * 3_600_000
    assert max(absence.until_ms - absence.at_ms for absence in plan.absences) > 24 * 3_600_000
    assert {absence.desk for absence in plan.absences} == set(range(plan.devices))


def test_tries_that_nobody_sees_are_counted_as_if_each_were_played() -> None:
    away_until_ms = 3 * 3_600_000
    played, leapt = Tries(), Tries()
    played.advised_ms = leapt.advised_ms = 4_000
    luck = Luck(7, "dials")
    at_ms = played.failed(0, luck.fraction)
    while at_ms + DIAL_TIMEOUT_MS <= away_until_ms:
        at_ms += DIAL_TIMEOUT_MS
        at_ms += played.failed(at_ms, luck.fraction)
    leapt.away_until_ms = away_until_ms
    assert leapt.failed(0, Luck(7, "dials").fraction) == at_ms
    assert leapt.failures == played.failures > 200
    assert away_until_ms - DIAL_TIMEOUT_MS < at_ms
    leapt.away_until_ms = 30 * LEAP_MAX_MS
    assert leapt.failed(0, luck.fraction) < 1.1 * LEAP_MAX_MS


def test_a_long_run_that_was_stopped_goes_on_behind_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "results"
    first = Kept.read(path)
    first.add(_result())
    first.add(_result(seed=2, violation=("bounded", "five pages")))
    first.close(7.5)
    with path.open("ab") as file:
        file.write(b'{"result":{"seed":3,')  # the power went
    again = Kept.read(path)
    assert (list(again.results), again.wall_s) == ([1, 2], 7.5)
    assert again.results[2].violation == ("bounded", "five pages")
    again.add(_result(seed=3))
    again.close(9.0)
    whole = Kept.read(path)
    assert list(whole.results) == [1, 2, 3]
    whole.close(9.0)
