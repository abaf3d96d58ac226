"""Barcodes: what can be on a card, and what is known of it without the card."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.barcodes import BARCODE_CHARACTERS_MAX, is_barcode, is_sealed_with, seal_of
from sync.pins import pepper_id
from sync.records import CredentialRecord, encode_record

PEPPER, OTHER = bytes(range(32)), bytes(32)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("1234", True),
        ("4012345678901", True),
        ("CARD 7/a~", True),
        ("1" * BARCODE_CHARACTERS_MAX, True),
        ("123", False),
        ("1" * (BARCODE_CHARACTERS_MAX + 1), False),
        ("CARD", False),
        (" 1234", False),
        ("1234 ", False),
        ("12\t34", False),
        ("12\x7f34", False),
        ("12é34", False),
        ("١٢٣٤", False),
        ("", False),
    ],
)
def test_a_barcode_is_printable_ascii_with_a_digit(text: str, *, is_one: bool) -> None:
    assert is_barcode(text) is is_one


def test_a_seal_is_that_of_one_text_and_one_centre_and_tells_neither() -> None:
    seal = seal_of("4012345678901", PEPPER)
    assert seal == "2Cd39heVIW814OwJyk+t1f3VnCgtFEYauTZLalNJwos="
    assert len({seal, seal_of("4012345678902", PEPPER), seal_of("4012345678901", OTHER)}) == 3
    record = CredentialRecord(kind="barcode", person_id="p", seal=seal, pepper_id=pepper_id(PEPPER))
    assert b"4012345678901" not in encode_record(record)
    assert b"revoked" not in encode_record(record)


@given(st.text(alphabet=[chr(code) for code in range(32, 127)], min_size=4, max_size=64))
def test_every_text_has_a_seal(text: str) -> None:
    assert len(seal_of(text, PEPPER)) == 44


def test_only_the_pepper_that_sealed_it_can_tell_whose_a_card_is() -> None:
    record = CredentialRecord(kind="barcode", person_id="p", seal="s", pepper_id=pepper_id(PEPPER))
    assert is_sealed_with(record, PEPPER)
    assert not is_sealed_with(record, OTHER)
    assert not is_sealed_with(record, b"")
