"""The plan of a seed that lasts for weeks: desks that are away for days, old days that are dropped, leases that end."""

import msgspec

from sync.limits import SILENCE_MAX_MS
from tests.simulation.luck import Luck
from tests.simulation.plan import LASTING, Absence, Edit, Plan, Strike, Visit, draw_hours

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# One seed in so many; the first one early, so that the short run in pytest has one.
WEEKS_EVERY = 100
_WEEKS_AT = 25

# These would undo what only weeks can show, or copy replicas all day long; the short seeds have them.
_NOT_IN_WEEKS = frozenset({"server_restored_from_backup", "device_cloned", "replica_set_back", "record_rots"})
_AWAY_AT_MOST_MS = (2 * HOUR_MS, DAY_MS, 4 * DAY_MS, 15 * DAY_MS)
_STRIKES_A_DAY = 3
_OPEN_FOR_MS = 10 * HOUR_MS


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    plan = draw_hours(seed)
    return over_weeks(plan) if lasts_for_weeks(seed) else plan


def lasts_for_weeks(seed: int) -> bool:
    """Whether this seed is one of those."""
    return seed % WEEKS_EVERY == _WEEKS_AT


def over_weeks(plan: Plan) -> Plan:
    """The same world with the same kinds of faults, over one to five weeks.

    It begins on a Monday in March; five weeks reach over a change to daylight saving, and over the time for which a
    desk keeps its answered entries.
    """
    luck = Luck(plan.seed, "weeks")
    days = 7 * luck.pick((1, 1, 2, 3, 5))
    faults = tuple(name for name in plan.faults if name not in _NOT_IN_WEEKS)
    plan = msgspec.structs.replace(
        plan,
        devices=min(plan.devices, 3),
        turmoil_ms=days * DAY_MS,
        faults=faults,
        workloads=(*(name for name in plan.workloads if name != "a_whole_hour"), "weeks"),
        link_delay_ms=(2, 80),
        absences=tuple(absence for desk in range(min(plan.devices, 3)) for absence in _absences(luck, desk, days)),
    )
    return msgspec.structs.replace(
        plan, strikes=_strikes(luck, plan), visits=_visits(luck, plan, days), edits=_edits(luck, plan, days)
    )


def _absences(luck: Luck, desk: int, days: int) -> list[Absence]:
    """A desk is reached for some minutes, and then for hours, days or weeks it is not."""
    found = []
    at_ms = luck.between(MINUTE_MS, 30 * MINUTE_MS)
    while at_ms < days * DAY_MS:
        until_ms = at_ms + luck.between(HOUR_MS, luck.pick(_AWAY_AT_MOST_MS))
        found.append(Absence(at_ms, min(until_ms, days * DAY_MS), desk))
        at_ms = until_ms + luck.between(MINUTE_MS, 40 * MINUTE_MS)
    return found


def _strikes(luck: Luck, plan: Plan) -> tuple[Strike, ...]:
    """Faults at any time, and as many while a desk that was away catches up."""
    faults = [name for name in plan.faults if name not in LASTING]
    count = plan.turmoil_ms // DAY_MS * _STRIKES_A_DAY if faults else 0
    moments = [luck.between(1, plan.turmoil_ms - 1) for _ in range(count)]
    for absence in plan.absences if faults else ():
        back_ms = absence.until_ms + luck.between(0, 2 * SILENCE_MAX_MS)
        moments += [back_ms] if back_ms < plan.turmoil_ms else []
    return tuple(Strike(number, at_ms, luck.pick(faults)) for number, at_ms in enumerate(sorted(moments)))


def _visits(luck: Luck, plan: Plan, days: int) -> tuple[Visit, ...]:
    """Some presses at each desk in the hours in which the centre is open."""
    found = [
        (day * DAY_MS + luck.between(0, _OPEN_FOR_MS), desk)
        for day in range(days)
        for desk in range(plan.devices)
        for _ in range(luck.between(1, 8))
    ]
    return tuple(Visit(number, *visit) for number, visit in enumerate(sorted(found)))


def _edits(luck: Luck, plan: Plan, days: int) -> tuple[Edit, ...]:
    found = [
        (luck.between(1, days * DAY_MS - 1), center)
        for center in range(plan.centers)
        for _ in range(luck.between(1, days))
    ]
    return tuple(Edit(number, *edit) for number, edit in enumerate(sorted(found)))
