"""The plan of the demonstration's morning."""

from random import Random  # noqa: TID251 - seeded

import pytest

from server.demo.morning import CHILDREN_MIN, DESK_ONE, DESK_TWO, Action, plan

CHILDREN = [f"child-{number}" for number in range(60)]


def test_the_same_seed_plays_the_same_morning() -> None:
    assert plan(CHILDREN, Random(7)) == plan(CHILDREN, Random(7))
    assert plan(CHILDREN, Random(7)) != plan(CHILDREN, Random(8))


def test_steps_come_in_order_and_within_the_morning() -> None:
    times = [step.at for step in plan(CHILDREN, Random(7))]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 1


def test_a_link_is_cut_with_check_ins_meanwhile_and_comes_back() -> None:
    steps = plan(CHILDREN, Random(7))
    actions = [(step.action, step.desk) for step in steps]
    cut = actions.index((Action.CUT_LINK, DESK_TWO))
    restored = actions.index((Action.RESTORE_LINK, DESK_TWO))
    assert (Action.CHECK_IN, DESK_TWO) in actions[cut:restored]
    assert (Action.CHECK_IN, DESK_ONE) in actions[cut:restored]


def test_two_children_meet_both_desks_while_the_link_is_cut() -> None:
    check_ins = [step for step in plan(CHILDREN, Random(7)) if step.action is Action.CHECK_IN]
    by_desk = {desk: {step.child_id for step in check_ins if step.desk == desk} for desk in (DESK_ONE, DESK_TWO)}
    assert len(by_desk[DESK_ONE] & by_desk[DESK_TWO]) == 2


def test_only_children_who_came_are_collected() -> None:
    steps = plan(CHILDREN, Random(7))
    here: set[str] = set()
    for step in steps:
        if step.action is Action.CHECK_IN:
            here.add(step.child_id)
        elif step.action is Action.CHECK_OUT:
            here.remove(step.child_id)


def test_too_few_children_are_refused() -> None:
    with pytest.raises(ValueError, match=str(CHILDREN_MIN)):
        plan(CHILDREN[: CHILDREN_MIN - 1], Random(7))
