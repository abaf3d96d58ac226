"""The ratio rules of a centre: what a manager chose or wrote, from which day on; its desks get them with the centre."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec

from server.core.clock import Clock
from server.core.errors import FieldProblem, InvalidInput, NotFound
from server.core.etags import ANY_STATE, Expected, etag_of
from server.models.rooms import Center
from server.repositories import centers, ratio, rosters
from server.repositories.unit_of_work import UnitsOfWork
from server.services import roster_records
from sync.ratio_presets import PRESETS, preset
from sync.ratio_rules import RatioRuleSet, check_rule_set, check_rule_sets
from sync.records import Entity

YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099


@dataclass(frozen=True, slots=True)
class Wish:
    """From which day (YYYY-MM-DD) on which rules shall hold: those of a preset, or those that are given.

    `rules` has the fields of `sync.ratio_rules.RatioRuleSet` but the day.
    """

    effective_from: str
    preset: str = ""
    rules: Mapping[str, Any] | None = None


class RatioRules:
    """Keeps the rule sets of centres."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def of_center(self, center: Center) -> list[RatioRuleSet]:
        """Give the rule sets of a centre as they were written, by day."""
        async with self._units.read() as connection:
            return roster_records.rule_sets(await ratio.rules_read(connection, center.id))

    async def put(
        self, center: Center, wish: Wish, *, actor: str, expected: Expected = ANY_STATE
    ) -> list[RatioRuleSet]:
        """Let rules hold from a day on, in the place of others that began on it; give all sets of the centre.

        A day in the past is taken: breaches are worked out anew from then on. `actor` is the id of who wants it.

        Raises:
            InvalidInput: there is no such preset, the rules are not right, or the centre has too many sets.
            NotFound: the centre is not there any more.
            PreconditionFailed: somebody changed the sets of the centre meanwhile.

        """
        wanted = _wanted(wish)
        async with self._units.begin(actor=actor, origin="api") as unit:
            await unit.lock_head(center.id)
            found = await centers.find(unit.session, center.id)
            if found is None:
                raise NotFound("There is no such centre")
            standing = roster_records.rule_sets(await ratio.rules_of(unit.session, center.id))
            expected.require(etag_of_rules(standing))
            others = [rule_set for rule_set in standing if rule_set.effective_from != wanted.effective_from]
            _refuse_wrong([*others, wanted])
            day, body = date.fromisoformat(wanted.effective_from), msgspec.json.encode(wanted)
            await ratio.put_rules(unit.session, center.id, day, body, self._clock.now())
            rows = await ratio.rules_of(unit.session, center.id)
            calendar = await rosters.calendar(unit.session, center.id)
            record = roster_records.checked(roster_records.center_record(found, calendar, rows))
            unit.put(center.id, Entity.CENTER, center.id, record)
            return roster_records.rule_sets(rows)


def etag_of_rules(rule_sets: list[RatioRuleSet]) -> str:
    """Give the tag of all rule sets of a centre together."""
    return etag_of("ratio rules", *map(msgspec.json.encode, rule_sets))


def _wanted(wish: Wish) -> RatioRuleSet:
    if bool(wish.preset) == (wish.rules is not None):
        raise InvalidInput("Name a preset, or send rules: one of the two")
    try:
        chosen = _chosen(wish)
        check_rule_set(chosen)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), (FieldProblem("/rules", str(error)),)) from None
    if not YEAR_MIN <= int(chosen.effective_from[:4]) <= YEAR_MAX:
        detail = f"Rules hold from a day in the years {YEAR_MIN} to {YEAR_MAX} on"
        raise InvalidInput(detail, (FieldProblem("/effective_from", detail),))
    return chosen


def _chosen(wish: Wish) -> RatioRuleSet:
    if wish.rules is not None:
        return msgspec.convert({**wish.rules, "effective_from": wish.effective_from}, RatioRuleSet)
    chosen = preset(wish.preset, wish.effective_from)
    if chosen is None:
        detail = f"There are these presets: {', '.join(sorted(PRESETS))}"
        raise InvalidInput(detail, (FieldProblem("/preset", detail),))
    return chosen


def _refuse_wrong(rule_sets: list[RatioRuleSet]) -> None:
    try:
        check_rule_sets(rule_sets)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
