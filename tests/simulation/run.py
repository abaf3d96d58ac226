"""One seed from its beginning to its verdict."""

import contextlib
import gc
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from sync.limits import SILENCE_MAX_MS
from tests.simulation.mutants import planted
from tests.simulation.people import Visitors
from tests.simulation.plan import HEALING_MS, POSTGRES_VARIABLE, Lane, Plan
from tests.simulation.trace import Violated
from tests.simulation.turmoil import Turmoil
from tests.simulation.verdict import Complaint, complaint_of, judge
from tests.simulation.weeks import draw
from tests.simulation.world import World

LOOK_EVERY_MS = 2_000
# Quiet must last longer than a half-open link can go unnoticed, or one of them may still be there.
QUIET_FOR_MS = SILENCE_MAX_MS + 2_000
# After all is quiet, one more press at each desk and one edit: they must arrive over the links that are there.
LAST_WORDS_MS = 20_000
LAST = 1_000_000


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one seed came to; `violation` is (checker, what), or None when every invariant holds."""

    seed: int
    trace_hash: str
    virtual_ms: int
    cpu_s: float
    lane: Lane
    devices: int
    healed_ms: int
    counts: dict[str, int]
    faults: dict[str, int]
    crash_points: dict[str, int]
    violation: tuple[str, str] | None = None
    tail: tuple[str, ...] = ()


class Death(msgspec.Struct, frozen=True):
    """How a mutant ended; `seed` None: it survived."""

    mutant: str
    seed: int | None
    checker: str = ""


def begin_work() -> None:
    """Begin as a process of many: Ctrl-C is for whoever started it, and garbage is looked for less often.

    The latter as `server/__main__.py` does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(50_000, 20, 50)


def kill(work: tuple[str, int, int]) -> Death:
    """Plant a mutant (by name) and run so many seeds from the first, until one finds it.

    A seed that fails without the mutant too says nothing about it, and is passed over.
    """
    name, first, seeds = work
    for seed in range(first, first + seeds):
        with planted(name):
            violation = run_seed(seed).violation
        if violation is not None and run_seed(seed).violation is None:
            return Death(name, seed, violation[0])
    return Death(name, None)


def run_seed(seed: int, show: Callable[[str], None] | None = None) -> Result:
    """Run one seed."""
    return run_plan(draw(seed), show)


def run_plan(plan: Plan, show: Callable[[str], None] | None = None) -> Result:
    """Run what a plan says, whether it was drawn, cut down or kept.

    Without a PostgreSQL, a seed that wants one runs on the model.
    """
    with contextlib.ExitStack() as stack:
        folder, server_store = None, None
        if plan.lane is Lane.CRASH_FILES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollcall-simulation-")))
        if plan.lane is Lane.POSTGRES and POSTGRES_VARIABLE not in os.environ:
            plan = msgspec.structs.replace(plan, lane=Lane.MEMORY)
        elif plan.lane is Lane.POSTGRES:
            # Only here: this seed alone needs the whole server, whose import takes a second.
            from tests.simulation.postgres_store import postgres_stores

            server_store = stack.enter_context(postgres_stores(plan))
        world = World(plan, show, folder, server_store)
        return _run(world)


def _run(world: World) -> Result:
    plan = world.plan
    begun_s = time.process_time()
    world.trace.note("PLAN", f"{plan}")
    violation, healed_ms = None, 0
    try:
        healed_ms = _live(world)
    except Violated as found:
        violation = (found.checker, found.what)
        world.trace.note("VIOLATED", str(found))
    except Exception as error:  # noqa: BLE001 - whatever shipped code raises is what we look for
        where = traceback.extract_tb(error.__traceback__)[-1]
        violation = ("no_defect", f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})")
        world.trace.note("VIOLATED", f"{violation}")
    finally:
        for device in world.devices:
            device.database.close_now()
    return Result(
        seed=plan.seed,
        trace_hash=world.trace.hash,
        virtual_ms=world.timeline.now_ms,
        cpu_s=time.process_time() - begun_s,
        lane=plan.lane,
        devices=plan.devices,
        healed_ms=healed_ms,
        counts=dict(world.trace.counts),
        faults=dict(world.trace.faults),
        crash_points=dict(world.trace.crash_points),
        violation=violation,
        tail=tuple(world.trace.tail) if violation else (),
    )


def _live(world: World) -> int:
    """Faults, healing, last words; gives how long healing took."""
    turmoil = Turmoil(world)
    visitors = [Visitors(world, device) for device in world.devices]
    _people_come(world, visitors)
    world.timeline.run_until(world.plan.turmoil_ms)
    turmoil.stop()
    healed_ms = _wait_until_quiet(world, lambda: HEALING_MS, lasting_ms=QUIET_FOR_MS)
    judge(world)
    links, journals = world.trace.counts["links"], _journals(world)
    for visitor in visitors:
        visitor.press(LAST)
    for center_id in world.offices:
        _edit(world, center_id, LAST)
    # A desk that was set back may be told so by its first press since, and then offers all it has over a slow link.
    _wait_until_quiet(world, lambda: LAST_WORDS_MS if _journals(world) == journals else HEALING_MS)
    judge(world)
    if world.trace.counts["links"] != links:
        raise Violated("nothing_stuck", "a new link was needed though no fault was left")
    return healed_ms


def _journals(world: World) -> list[str]:
    """The incarnation that each desk writes in."""
    return [device.replica.progress.read().incarnation for device in world.devices if not device.is_destroyed]


def _wait_until_quiet(world: World, within_ms: Callable[[], int], *, lasting_ms: int = 0) -> int:
    """Wait until nothing is left to do, over links that stay, and see that it lasts; gives how long it took until then.

    Raises:
        Violated: it took longer than `within_ms` says; the checker of what was the last thing to be done.

    """
    begun_ms = quiet_ms = world.timeline.now_ms
    links = world.trace.counts["links"]
    complaint: Complaint = ("nothing_stuck", "links come and go though no fault is left")
    while quiet_ms - begun_ms <= within_ms():
        world.timeline.run_until(world.timeline.now_ms + LOOK_EVERY_MS)
        found = complaint_of(world)
        if found is not None or world.trace.counts["links"] != links:
            quiet_ms, links = world.timeline.now_ms, world.trace.counts["links"]
            complaint = found or complaint
        elif world.timeline.now_ms - quiet_ms >= lasting_ms:
            return quiet_ms - begun_ms
    raise Violated(complaint[0], f"not within {within_ms() // 1000} s of the last fault: {complaint[1]}")


def _people_come(world: World, visitors: list[Visitors]) -> None:
    for visit in world.plan.visits:
        world.timeline.at(visit.at_ms, partial(visitors[visit.desk].press, visit.number))
    centers = list(world.offices)
    for edit in world.plan.edits:
        world.timeline.at(edit.at_ms, partial(_edit, world, centers[edit.center], edit.number))
    for ruling in world.plan.rulings or ():
        world.timeline.at(ruling.at_ms, partial(_rule, world, centers[ruling.center], ruling.number))


def _edit(world: World, center_id: str, number: int) -> None:
    office = world.offices[center_id]
    office.luck = world.luck(f"edit {number} in {center_id}")
    world.server.edit(center_id, office.edit)


def _rule(world: World, center_id: str, number: int) -> None:
    office = world.offices[center_id]
    office.luck = world.luck(f"ruling {number} in {center_id}")
    world.server.edit(center_id, office.rule)
