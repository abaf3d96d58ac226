"""Which PINs are taken, and that a seal opens for one PIN, one salt and one pepper alone."""

import msgspec
import pytest

from sync.pins import is_checkable, is_pin, opens, pepper_id, salt_of, sealed, weakness

PEPPER, OTHER_PEPPER = b"p" * 32, b"q" * 32
SALT = bytes(range(16))
STRETCHED = b"s" * 32
RECORD = sealed(STRETCHED, SALT, PEPPER, set_at_ms=7)


@pytest.mark.parametrize("pin", ["483920", "7203914", "8274650193", "592746185037"])
def test_a_pin_that_nobody_thinks_of_first_is_taken(pin: str) -> None:
    assert is_pin(pin)
    assert weakness(pin, ["+351 912 000 101", "12", ""]) == ""


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("", "digits"), ("48392", "digits"), ("4839201847562", "digits"), ("48392a", "digits"), ("٤٨٣٩٢٠", "digits"),
        ("111111", "one or two"), ("474747", "one or two"),
        ("123456", "counts"), ("098765", "counts"), ("246802", "counts"), ("890123", "counts"),
        ("487487", "repeats"), ("48304830", "repeats"), ("4830483", "repeats"), ("448833", "repeats"),
        ("310885", "date"), ("850831", "date"), ("083185", "date"), ("290200", "date"),
        ("31081985", "date"), ("19850831", "date"), ("08311985", "date"),
        ("912000", "phone"), ("200010", "phone"), ("35191200010147", "digits"),
    ],
)  # fmt: skip
def test_a_pin_that_everybody_tries_first_is_refused_with_the_reason(pin: str, reason: str) -> None:
    assert reason in weakness(pin, ["+351 912 000 101"])


def test_a_pin_around_a_whole_number_of_the_person_is_refused() -> None:
    assert "phone" in weakness("4831907264", ["831 907"])
    assert weakness("4831907264", ["831 9"]) == ""


@pytest.mark.parametrize("pin", ["310085", "993185", "31082185", "3108857"])
def test_what_is_no_day_is_no_date(pin: str) -> None:
    assert "date" not in weakness(pin)


def test_a_seal_opens_for_its_pin_salt_and_pepper_alone() -> None:
    assert opens(RECORD, STRETCHED, PEPPER)
    assert not opens(RECORD, b"t" * 32, PEPPER)
    assert not opens(RECORD, STRETCHED, OTHER_PEPPER)
    assert not opens(
        msgspec.structs.replace(RECORD, salt=sealed(b"", b"x" * 16, PEPPER, set_at_ms=0).salt), STRETCHED, PEPPER
    )
    assert (salt_of(RECORD), RECORD.set_at_ms) == (SALT, 7)


def test_a_desk_knows_which_pins_it_can_check() -> None:
    assert is_checkable(RECORD, PEPPER)
    assert not is_checkable(RECORD, OTHER_PEPPER)
    assert not is_checkable(RECORD, b"")
    assert pepper_id(PEPPER) != pepper_id(OTHER_PEPPER)
    assert len(pepper_id(PEPPER)) == 16


@pytest.mark.parametrize("salt", ["", "!", "AAAA", "é"])
def test_a_record_with_a_salt_that_is_none_cannot_be_checked(salt: str) -> None:
    assert not is_checkable(msgspec.structs.replace(RECORD, salt=salt), PEPPER)
