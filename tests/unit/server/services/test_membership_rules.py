"""Who may give which role to whom: every pair of an asker and a target against the table."""

from dataclasses import replace
from itertools import combinations

import pytest

from server.core.errors import Conflict, NotEntitled, RollcallError
from server.services.access import RoleId
from server.services.membership_rules import (
    Asker,
    LastAdmin,
    OtherOrganisation,
    OwnRole,
    Standing,
    check_active,
    check_role,
    check_roles,
)

PARENT, STAFF, MANAGER, ADMIN = RoleId
HERE, THERE = "north", "south"
ALL = [frozenset(found) for size in range(5) for found in combinations(RoleId, size)]
MANAGING = Asker("asker", frozenset({MANAGER}), frozenset({HERE}))
ADMINISTERING = Asker("asker", frozenset({ADMIN}), frozenset())
SOMEBODY = Standing("somebody", frozenset({STAFF}), frozenset({HERE}), True, True, 2)


def verdict(asker: Asker, target: Standing, wanted: frozenset[RoleId]) -> type[RollcallError] | None:
    try:
        check_roles(asker, target, wanted)
    except RollcallError as error:
        return type(error)
    return None


def test_a_manager_gives_and_takes_everything_but_what_is_an_admins() -> None:
    for held in ALL:
        for wanted in ALL:
            expected = NotEntitled if ADMIN in held | wanted else None
            assert verdict(MANAGING, replace(SOMEBODY, roles=held), wanted) is expected, (held, wanted)


def test_an_admin_gives_and_takes_everything_while_another_admin_stays() -> None:
    for held in ALL:
        for wanted in ALL:
            target = replace(SOMEBODY, roles=held)
            assert verdict(ADMINISTERING, target, wanted) is None
            expected = LastAdmin if ADMIN in held - wanted else None
            assert verdict(ADMINISTERING, replace(target, other_admins=0), wanted) is expected, (held, wanted)
            foreign = replace(target, is_of_organisation=False, roles=held - {ADMIN})
            assert verdict(ADMINISTERING, foreign, wanted) is (OtherOrganisation if ADMIN in wanted else None)


def test_nobody_takes_a_role_from_themselves_but_they_may_add_one() -> None:
    for asker in (MANAGING, ADMINISTERING):
        myself = replace(SOMEBODY, id=asker.id, roles=asker.roles)
        assert verdict(asker, myself, frozenset()) is OwnRole
        assert verdict(asker, myself, frozenset({STAFF})) is OwnRole
        assert verdict(asker, myself, asker.roles | {PARENT}) is None


def test_only_an_admin_makes_admins() -> None:
    for role in RoleId:
        check_role(ADMINISTERING, role)
        if role is not ADMIN:
            check_role(MANAGING, role)
    with pytest.raises(NotEntitled):
        check_role(MANAGING, ADMIN)


def test_a_manager_switches_off_whoever_is_at_their_centres_only() -> None:
    for wanted in (True, False):
        check_active(MANAGING, SOMEBODY, wanted)
        with pytest.raises(NotEntitled, match="other centres"):
            check_active(MANAGING, replace(SOMEBODY, center_ids=frozenset({HERE, THERE})), wanted)
        with pytest.raises(NotEntitled, match="admin"):
            check_active(MANAGING, replace(SOMEBODY, roles=frozenset({ADMIN})), wanted)


def test_an_admin_switches_off_whoever_is_of_the_organisation() -> None:
    check_active(ADMINISTERING, replace(SOMEBODY, center_ids=frozenset({HERE, THERE})), False)
    with pytest.raises(NotEntitled, match="another organisation"):
        check_active(ADMINISTERING, replace(SOMEBODY, is_of_organisation=False), False)


def test_the_last_admin_and_oneself_stay_switched_on() -> None:
    last = replace(SOMEBODY, roles=frozenset({ADMIN}), other_admins=0)
    with pytest.raises(LastAdmin):
        check_active(ADMINISTERING, last, False)
    check_active(ADMINISTERING, last, True)
    check_active(ADMINISTERING, replace(last, is_active=False), False)
    for asker in (MANAGING, ADMINISTERING):
        with pytest.raises(OwnRole):
            check_active(asker, replace(SOMEBODY, id=asker.id), False)


def test_a_mistake_is_a_conflict() -> None:
    assert all(issubclass(kind, Conflict) for kind in (LastAdmin, OwnRole, OtherOrganisation))
