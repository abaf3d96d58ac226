"""What of an event somebody typed goes, and everything that decides stays."""

import msgspec

from server.services.erased_words import ERASED, without_adult, without_words
from sync.attendance_events import AttendanceEvent, Correction, EventKind

ONE, TWO, CHILD = (f"018f0000-0000-7000-8000-00000000000{digit}" for digit in "123")
PLAIN = AttendanceEvent(
    event_id=ONE, kind=EventKind.CHECK_OUT, center_id=TWO, child_id=CHILD, occurred_at_ms=1_790_000_000_000,
    recorded_at_ms=1_790_000_000_000, adult_id=TWO, room_id=ONE, author_id=ONE,
)  # fmt: skip
TYPED = msgspec.structs.replace(
    PLAIN, adult_name="Canute", provisional_name="Otti", note="cried", reason="his brother", reason_code="override",
    author="Wendelmoet", supersedes=(TWO,), corrected=Correction(adult_name="Canute", room_id=ONE),
)  # fmt: skip


def test_an_event_that_nobody_typed_into_stays_as_it_is() -> None:
    assert without_words(PLAIN, {ONE}) is None
    assert without_adult(PLAIN) is None


def test_names_and_notes_of_a_child_go_and_codes_and_ids_stay() -> None:
    hidden = without_words(TYPED, {ONE})
    assert hidden is not None
    assert (hidden.adult_name, hidden.provisional_name, hidden.note, hidden.reason) == (ERASED, ERASED, "", "")
    assert (hidden.author, hidden.corrected) == (ERASED, Correction(adult_name=ERASED, room_id=ONE))
    names = ("adult_name", "provisional_name", "note", "reason", "author", "corrected")
    for name in set(AttendanceEvent.__struct_fields__) - set(names):
        assert getattr(hidden, name) == getattr(TYPED, name), name
    assert without_words(hidden, {ONE}) is None, "a second time there is nothing left"


def test_the_name_of_an_author_goes_only_with_the_account() -> None:
    hidden = without_words(TYPED)
    assert hidden is not None
    assert hidden.author == "Wendelmoet"


def test_of_an_adult_only_the_name_goes() -> None:
    hidden = without_adult(TYPED)
    assert hidden is not None
    assert (hidden.adult_name, hidden.corrected) == (ERASED, Correction(adult_name=ERASED, room_id=ONE))
    assert (hidden.note, hidden.reason, hidden.provisional_name) == ("cried", "his brother", "Otti")
    assert without_adult(hidden) is None
