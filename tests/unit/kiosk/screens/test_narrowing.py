"""What the roster is narrowed to: by room, by a scanned code, and by what is typed."""

from dataclasses import replace

from kiosk.messages import Mark, Presence
from kiosk.screens.narrowing import Narrowing
from kiosk.services.roster import RosterLine
from kiosk.widgets.wording import NO_CHILDREN
from sync.attendance import FindingKind


def child(name: str, room: str) -> RosterLine:
    return RosterLine(
        child_id=name,
        given_name=name,
        family_name="Silva",
        display_name=f"{name} Silva",
        room_id=room,
        room_name=room.title(),
        status=Presence.OUT,
        since_ms=None,
        mark=Mark.NONE,
        last_event_id="",
        alerts=(),
    )


EVERYBODY = (child("Ana", "owls"), child("Ines", "bees"), child("Mia", ""))


def names(narrowing: Narrowing, typed: str = "") -> list[str]:
    return [line.given_name for line in narrowing.lines(typed)]


def test_rooms_are_gone_through_by_name_and_back_to_all() -> None:
    narrowing, seen = Narrowing(EVERYBODY), []
    for _ in range(3):
        seen.append((narrowing.room_name, names(narrowing)))
        narrowing.room_id = narrowing.next_room_id
    assert seen == [("All rooms", ["Ana", "Ines", "Mia"]), ("Bees", ["Ines"]), ("Owls", ["Ana"])]
    assert narrowing.room_id == ""
    narrowing.room_id = "gone"  # a room whose last child was moved away
    assert (narrowing.room_name, narrowing.next_room_id, names(narrowing)) == ("All rooms", "bees", [])


def test_a_scanned_code_comes_before_the_room_and_what_is_typed_narrows_it() -> None:
    narrowing = Narrowing(EVERYBODY, room_id="bees", scanned_ids=frozenset({"Ana", "Mia"}))
    assert names(narrowing) == ["Ana", "Mia"]
    assert names(narrowing, "mi") == ["Mia"]


def test_a_child_is_settled_when_nothing_is_asked_of_it_any_more() -> None:
    ana, ines, mia = EVERYBODY
    asked = replace(ana, findings=(FindingKind.TIME_UNCERTAIN,), mark=Mark.RECORDED)  # an own entry waits
    narrowing = Narrowing((asked, ines, replace(mia, mark=Mark.NEEDS_REVIEW)))
    assert narrowing.take((asked, ines, mia)) == {"Mia"}
    assert narrowing.take(()) == frozenset()  # the desk is locked: nothing is known to be settled
    assert narrowing.take(EVERYBODY) == frozenset()


def test_an_empty_list_says_why() -> None:
    assert Narrowing().empty_words("zoe") == NO_CHILDREN
    assert "“zoe”. " in Narrowing(EVERYBODY).empty_words(" zoe ")
    assert "in Bees; F2 shows other rooms" in Narrowing(EVERYBODY, room_id="bees").empty_words("zoe")


def test_a_search_is_new_once() -> None:
    narrowing = Narrowing(EVERYBODY)
    assert [narrowing.is_new(typed) for typed in ("", "a", "a", "", "a")] == [False, True, False, True, True]
