"""Ratio rules of a centre, how it stands, and when it was in breach."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Depends, Query, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.attendance import AsOf
from server.schemas.ratio import (
    BandCountOut,
    BreachesOut,
    BreachOut,
    DeskKnewOut,
    PresetOut,
    RatioOut,
    RatioRuleSetOut,
    RatioRulesIn,
    RatioRulesOut,
    RatioStateOut,
    RoomRatioOut,
    RulesNameOut,
)
from server.services.access import MANAGER_AND_UP, STAFF_AND_UP, Center
from server.services.ratio import Breach, DayBreaches, RatioState
from server.services.ratio_rules import Wish, etag_of_rules
from sync.ratio_presets import PRESETS
from sync.ratio_rules import AGE_MONTHS_MAX, WHOLE_PERCENT, RatioRuleSet

router = api_router(tags=["ratio"])
ManagedCenter = Annotated[Center, Depends(require_role(MANAGER_AND_UP))]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/centers/{center_id}/ratio-rules")
async def list_rules(center: ManagedCenter, services: ServicesDep, response: Response) -> RatioRulesOut:
    """List the ratio rules of a centre by the day from which they hold, and the examples there are (manager)."""
    return _rules_out(await services.ratio_rules.of_center(center), response)


@router.put("/centers/{center_id}/ratio-rules")
async def put_rules(
    center: ManagedCenter,
    user: CurrentUser,
    asked: RatioRulesIn,
    services: ServicesDep,
    expected: ExpectedDep,
    *,
    response: Response,
) -> RatioRulesOut:
    """Let rules hold from a day on, in the place of those that began on it (manager; If-Match); desks get them."""
    rules = None if asked.rules is None else asked.rules.model_dump()
    wish = Wish(asked.effective_from, asked.preset, rules)
    return _rules_out(await services.ratio_rules.put(center, wish, actor=user.id, expected=expected), response)


@router.get("/ratio")
async def ratio_now(
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    *,
    age_months: Annotated[
        int | None, Query(ge=0, le=AGE_MONTHS_MAX, description="Age of who may come next; else the youngest there")
    ] = None,
) -> RatioOut:
    """Tell whether there are adults enough now, in each room and in the centre, and room for more children (staff)."""
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.ratio.now(center, age_months)
    rules = found.judged.rule_set
    return RatioOut(
        center_id=center.id,
        as_of=AsOf(version=found.version, time=found.as_of.astimezone(ZoneInfo(center.time_zone))),
        rules=None
        if rules is None
        else RulesNameOut(name=rules.name, effective_from=date.fromisoformat(rules.effective_from), scope=rules.scope),
        center=_state_out(found.judged.center),
        rooms=[
            RoomRatioOut(room_id=room_id or None, room_name=found.room_names.get(room_id), state=_state_out(state))
            for room_id, state in found.judged.rooms.items()
        ],
    )


@router.get("/ratio/breaches")
async def ratio_breaches(
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    page: PageDep,
    *,
    day: Annotated[date | None, Query(description="YYYY-MM-DD; today at the centre when left out")] = None,
) -> BreachesOut:
    """List when there were too few adults or too large a group on a day, and what each desk knew then (staff).

    It is worked out from the facts as they are now: a late or corrected fact changes it.
    """
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.ratio.breaches_of_day(center, day)
    zone = ZoneInfo(center.time_zone)
    items = [_breach_out(breach, found, zone) for breach in found.breaches]
    shown, cursor = page.part("breaches", items, lambda one: f"{one.scope} {one.room_id} {one.began_at}")
    return BreachesOut(
        center_id=center.id,
        day=found.day,
        as_of=AsOf(version=found.version, time=found.as_of.astimezone(zone)),
        items=list(shown),
        next_cursor=cursor,
    )


def _rules_out(rule_sets: list[RatioRuleSet], response: Response) -> RatioRulesOut:
    set_etag(response, etag_of_rules(rule_sets))
    return RatioRulesOut(
        items=[RatioRuleSetOut.model_validate(msgspec.to_builtins(rule_set)) for rule_set in rule_sets],
        presets=[
            PresetOut(preset=preset, name=rule_set.name, description=rule_set.description)
            for preset, rule_set in PRESETS.items()
        ],
    )


def _breach_out(breach: Breach, found: DayBreaches, zone: ZoneInfo) -> BreachOut:
    return BreachOut(
        scope=breach.scope.value,
        room_id=breach.room_id or None,
        room_name=found.room_names.get(breach.room_id),
        began_at=_moment(breach.from_ms, zone),
        ended_at=None if breach.to_ms is None else _moment(breach.to_ms, zone),
        worst=_state_out(breach.worst),
        desks=[
            DeskKnewOut(
                device_id=word.device_id,
                device_name=found.device_names.get(word.device_id, ""),
                told_at=_moment(word.at_ms, zone),
                version=word.version,
            )
            for word in breach.desks
        ],
    )


def _state_out(state: RatioState) -> RatioStateOut:
    return RatioStateOut(
        reason=state.reason.value,
        is_breach=state.is_breach,
        children=state.children,
        children_of_unknown_age=state.of_unknown_age,
        bands=[BandCountOut(code=band.code, children=band.children) for band in state.bands],
        staff=state.staff,
        counted_staff=state.counted_percent / WHOLE_PERCENT,
        staff_needed=state.staff_needed,
        children_allowed=state.children_allowed,
        children_more=state.children_more,
        group_cap=state.group_cap or None,
        cap_exceeded=state.cap_exceeded,
    )


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)
