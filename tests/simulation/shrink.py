"""Makes a failing plan small: what can be left out while the same checker still complains is left out."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from tests.simulation.plan import LASTING, Absence, Lane, Plan

Item = TypeVar("Item")
Fails = Callable[[Plan], bool]

# Enough for any plan that was drawn; a shrinker that never ends helps nobody.
RUNS_MAX = 2_000
_LISTS = ("strikes", "visits", "edits", "absences", "rulings")


class _Search:
    """The smallest plan so far, and how many runs are left to find a smaller one."""

    def __init__(self, plan: Plan, fails: Fails) -> None:
        self.plan = plan
        self.runs = 0
        self._fails = fails

    def take(self, **changes: Any) -> bool:
        """Try a plan with these changes; keep it if it still fails."""
        plan = msgspec.structs.replace(self.plan, **changes)
        if plan == self.plan or self.runs >= RUNS_MAX:
            return False
        self.runs += 1
        if not self._fails(plan):
            return False
        self.plan = plan
        return True

    def thin_out(self, items: Sequence[Item], changes: Callable[[tuple[Item, ...]], dict[str, Any]]) -> None:
        """Delta debugging (Zeller, 1999): leave out halves, then quarters, and so on, as long as the rest fails."""
        kept = tuple(items)
        if kept and self.take(**changes(())):
            return
        size = (len(kept) + 1) // 2
        while size and kept:
            found = next((rest for rest in _without(kept, size) if self.take(**changes(rest))), None)
            if found is not None:
                kept = found
            size = min(size, len(kept)) if found is not None else size // 2


def shrink(plan: Plan, fails: Fails) -> tuple[Plan, int]:
    """The smallest failing plan that was found, and how many runs that took; `fails(plan)` must hold."""
    search = _Search(plan, fails)
    size = -1
    while size != _size(search.plan) and search.runs < RUNS_MAX:
        size = _size(search.plan)
        _fewer_desks(search)
        search.thin_out(search.plan.faults, lambda faults: _of_faults(search.plan, faults))
        search.thin_out(search.plan.workloads, lambda workloads: {"workloads": workloads})
        search.thin_out(search.plan.strikes, lambda strikes: {"strikes": strikes})
        search.thin_out(search.plan.visits, lambda visits: {"visits": visits})
        search.thin_out(search.plan.edits, lambda edits: {"edits": edits})
        search.thin_out(search.plan.absences, lambda absences: {"absences": absences})
        search.thin_out(search.plan.rulings or (), lambda rulings: {"rulings": rulings or msgspec.UNSET})
        _simpler_world(search)
    return search.plan, search.runs


def _size(plan: Plan) -> int:
    lists = (plan.faults, plan.workloads, plan.strikes, plan.visits, plan.edits, plan.absences, plan.rulings or ())
    return plan.turmoil_ms + plan.devices + plan.centers + plan.children + 1_000 * sum(map(len, lists))


def _without(items: tuple[Item, ...], size: int) -> Iterator[tuple[Item, ...]]:
    """The items without so many in a row: the last of them first, because what comes late is harmless more often."""
    for start in range(len(items) - size, -size, -size):
        yield items[: max(0, start)] + items[max(0, start) + size :]


def _of_faults(plan: Plan, faults: tuple[str, ...]) -> dict[str, Any]:
    strikes = tuple(strike for strike in plan.strikes if strike.fault in faults)
    return {"faults": faults, "strikes": strikes}


def _fewer_desks(search: _Search) -> None:
    for devices in range(1, search.plan.devices):
        visits = tuple(visit for visit in search.plan.visits if visit.desk < devices)
        absences = tuple(absence for absence in search.plan.absences if absence.desk < devices)
        if search.take(devices=devices, visits=visits, absences=absences):
            return
    for desk in range(search.plan.devices):
        search.take(visits=tuple(visit for visit in search.plan.visits if visit.desk != desk))


def _simpler_world(search: _Search) -> None:
    used = {strike.fault for strike in search.plan.strikes} | LASTING
    search.take(faults=tuple(name for name in search.plan.faults if name in used))
    for lane in Lane:
        if search.take(lane=lane) or search.plan.lane is lane:
            break
    for centers in range(1, search.plan.centers):
        edits = tuple(edit for edit in search.plan.edits if edit.center < centers)
        rulings = tuple(ruling for ruling in search.plan.rulings or () if ruling.center < centers)
        search.take(centers=centers, edits=edits, rulings=rulings or msgspec.UNSET)
    for children in range(1, search.plan.children):
        if search.take(children=children):
            break
    _shorter(search)


def _shorter(search: _Search) -> None:
    """End the turmoil after the last thing that happens in it, and let things happen sooner."""
    while (sooner := _sooner(search.plan)) and search.take(**sooner):
        pass
    last_ms = max((item.at_ms for item in _moments(search.plan)), default=0)
    for turmoil_ms in (last_ms + 1, last_ms + 5_000, last_ms + 20_000):
        if turmoil_ms < search.plan.turmoil_ms and search.take(turmoil_ms=turmoil_ms):
            break


def _sooner(plan: Plan) -> dict[str, Any]:
    """Everything at half its time."""
    if not _moments(plan) or max(item.at_ms for item in _moments(plan)) < 1_000:
        return {}
    return {name: tuple(map(_at_half_its_time, getattr(plan, name) or ())) for name in _LISTS}


def _at_half_its_time(item: Any) -> Any:
    if isinstance(item, Absence):
        return msgspec.structs.replace(item, at_ms=item.at_ms // 2, until_ms=item.until_ms // 2)
    return msgspec.structs.replace(item, at_ms=item.at_ms // 2)


def _moments(plan: Plan) -> list[Any]:
    return [item for name in _LISTS for item in getattr(plan, name) or ()]
