"""What speaks against a collector, for one child and for a family; how often a PIN may be tried; who is a family."""

import pytest

from kiosk.services.families import children_of, family
from kiosk.services.knowledge import Knowledge
from kiosk.services.pin_policy import TRIES_MAX, counted, delay_ms, is_used_up, wait_ms
from kiosk.services.release import Stop, doubt, is_list_old, of_all
from kiosk.services.roster import Collector
from kiosk.store.pin_attempts import Tries
from sync.records import ChildRecord, PickupRecord
from tests.unit.kiosk.services.own_entries import TODAY

HOUR_MS = 3_600_000
MARIA = Collector("a1", "Maria Silva", "mother", "authorised", "")
PINTO = Collector("a2", "João Pinto", "father", "not_authorised", "")
HELENA = Collector("a3", "Helena Silva", "aunt", "not_today", "")
KNOWN = (MARIA, PINTO, HELENA)


@pytest.mark.parametrize(
    ("adult_id", "name", "stop", "warning"),
    [
        ("a1", "Maria Silva", Stop.NOTHING, ""),
        ("", "maria SILVA", Stop.NOTHING, ""),
        ("a2", "João Pinto", Stop.NEVER, ""),
        ("", "Pinto, Joao", Stop.NEVER, ""),
        ("a3", "", Stop.OVERRIDE, "not_today"),
        ("", "J Pinto", Stop.OVERRIDE, "near_blocked_name"),
        ("", "Eva Luz", Stop.NOTHING, "not_on_list"),
    ],
)
def test_what_speaks_against_a_collector(adult_id: str, name: str, stop: Stop, warning: str) -> None:
    found = doubt(KNOWN, adult_id, name)
    assert (found.stop, found.warning) == (stop, warning)


def test_who_may_not_collect_one_child_may_not_collect_the_family() -> None:
    other = (Collector("a1", "Maria Silva", "neighbour", "not_authorised", ""), HELENA)
    assert [(one.adult_id, one.status) for one in of_all([KNOWN, other])] == [
        ("a3", "not_today"), ("a2", "not_authorised") , ("a1", "not_authorised"),
    ]  # fmt: skip
    assert of_all([KNOWN, ()]) == (HELENA, PINTO)
    assert of_all([]) == ()


def test_a_list_is_old_after_its_hours_and_when_it_never_came() -> None:
    assert not is_list_old(0, 12 * HOUR_MS - 1, old_ms=12 * HOUR_MS)
    assert is_list_old(0, 12 * HOUR_MS, old_ms=12 * HOUR_MS)
    assert is_list_old(None, 0, old_ms=12 * HOUR_MS)
    assert not is_list_old(HOUR_MS, 0, old_ms=12 * HOUR_MS)  # a clock that was set back


def test_five_tries_are_free_then_each_waits_twice_as_long_and_ten_are_all() -> None:
    assert [delay_ms(number) for number in range(4, 10)] == [0, 30_000, 60_000, 120_000, 240_000, 480_000]
    tries = Tries("salt")
    for number in range(TRIES_MAX):
        assert not is_used_up(tries)
        tries = counted(tries, now_ms=number)
    assert is_used_up(tries)
    assert wait_ms(counted(Tries("salt", failures=4), 1_000), 1_000) == 30_000
    assert wait_ms(Tries("salt", 5, 30_000), 40_000) == 0


def pickup(child_id: str, adult_id: str, status: str = "authorised", *, guardian: bool = False) -> PickupRecord:
    return PickupRecord(child_id=child_id, adult_id=adult_id, status=status, legal_guardian=guardian)


def test_brothers_and_sisters_are_chosen_and_the_children_of_neighbours_are_offered() -> None:
    knowledge = Knowledge("device")
    names = {"ana": "Silva", "rui": "SÍLVA", "eva": "Luz", "ivo": "Reis", "lea": "Silva", "old": "Silva"}
    for child_id, family_name in names.items():
        enrolled = child_id != "old"
        knowledge.children[child_id] = ChildRecord(given_name=child_id, family_name=family_name, enrolled=enrolled)
    knowledge.pickups = {
        "1": pickup("ana", "mother", guardian=True),
        "2": pickup("rui", "mother"),
        "3": pickup("eva", "father", guardian=True),
        "4": pickup("ana", "father", guardian=True),
        "5": pickup("ana", "neighbour"),
        "6": pickup("ivo", "neighbour"),
        "7": pickup("old", "mother"),
        "8": pickup("gone", "mother"),
        "9": pickup("lea", "nobody"),
        "10": pickup("rui", "father", "not_authorised"),
    }
    found = [(one.line.child_id, one.chosen) for one in family(knowledge, "ana", TODAY)]
    assert found == [("ana", True), ("eva", True), ("rui", True), ("ivo", False)]
    assert children_of(knowledge, "father") == ("ana", "eva")
    assert children_of(knowledge, "stranger") == ()
