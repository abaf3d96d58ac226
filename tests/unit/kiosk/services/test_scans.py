"""A scanner among the keys, at every pace, and what its codes are worth."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.services.cards import find_card
from kiosk.services.scans import SAME_CODE_MS, SCAN_CHARACTERS_MAX, Heard, ScanEar, ScanFault, read_scan
from sync.barcodes import seal_of
from sync.family_code import FamilyCode, code_text
from sync.pins import pepper_id
from sync.records import CredentialRecord

CENTER, ADULT = "018f0000-0000-7000-8000-0000000000c1", "018f0000-0000-7000-8000-0000000000a1"
NOW_MS = 1_790_000_000_000
KEY = Ed25519PrivateKey.generate()
PEPPER = bytes(range(32))
PUBLIC = KEY.public_key().public_bytes_raw()


def type_in(ear: ScanEar, text: str, *, from_ms: int = 0, every_ms: int = 10) -> tuple[Heard, str]:
    """Type a text and ENTER at one pace."""
    for number, character in enumerate(text):
        ear.hear(character, from_ms + number * every_ms)
    return ear.enter(from_ms + len(text) * every_ms)


def test_a_quick_run_with_a_digit_is_a_scan_and_anything_else_is_typed() -> None:
    assert type_in(ScanEar(), "AB12CD34") == (Heard.SCAN, "AB12CD34")
    assert type_in(ScanEar(), "AB12CD34", every_ms=50) == (Heard.SCAN, "AB12CD34")
    assert type_in(ScanEar(), "AB12CD34", every_ms=51)[0] is Heard.KEY
    assert type_in(ScanEar(), "goncalves")[0] is Heard.KEY
    assert type_in(ScanEar(), "AB12") == (Heard.SCAN, "AB12")
    assert type_in(ScanEar(), "A12")[0] is Heard.KEY
    assert ScanEar().enter(0) == (Heard.KEY, "")


def test_half_a_scan_and_letters_before_it_are_no_part_of_the_next() -> None:
    ear = ScanEar()
    for number, character in enumerate("AB12C"):
        ear.hear(character, number * 10)
    assert type_in(ear, "XY98ZW76", from_ms=1_000) == (Heard.SCAN, "XY98ZW76")
    assert ear.hear("a", 5_000) is Heard.BEGIN
    assert ear.hear("1", 5_010) is Heard.KEY
    ear.forget()
    assert type_in(ear, "345", from_ms=5_020)[0] is Heard.KEY


def test_the_same_code_is_heard_once_in_three_seconds_and_another_at_once() -> None:
    ear = ScanEar()
    assert type_in(ear, "AB12CD34")[0] is Heard.SCAN
    assert type_in(ear, "AB12CD34", from_ms=500) == (Heard.AGAIN, "AB12CD34")
    assert type_in(ear, "XY98ZW76", from_ms=900)[0] is Heard.SCAN
    assert type_in(ear, "XY98ZW76", from_ms=980 + SAME_CODE_MS)[0] is Heard.SCAN


def test_ten_thousand_characters_are_no_scan_and_the_next_one_is() -> None:
    ear = ScanEar()
    assert type_in(ear, "A1" * 5_000, every_ms=1)[0] is Heard.KEY
    assert type_in(ear, "AB12CD34", from_ms=11_000)[0] is Heard.SCAN
    assert len(ear._run) <= SCAN_CHARACTERS_MAX


def test_a_clock_that_goes_back_makes_no_scan() -> None:
    ear = ScanEar()
    assert type_in(ear, "AB12CD34", from_ms=1_000, every_ms=-10)[0] is Heard.KEY


def code(*, center: str = CENTER, ends_in_s: int = 60, key: Ed25519PrivateKey = KEY) -> str:
    said = FamilyCode(center, ADULT, NOW_MS // 1_000 + ends_in_s, b"12345678")
    return code_text(said, key.sign(said.to_sign()))


def test_a_code_signed_by_the_centre_opens_its_adult() -> None:
    found = read_scan(code().lower(), PUBLIC, CENTER, NOW_MS)
    assert isinstance(found, FamilyCode)
    assert found.adult_id == ADULT


@pytest.mark.parametrize(
    ("text", "family_key", "words"),
    [
        ("4012345678901", PUBLIC, "not known here"),
        (code()[:-1], PUBLIC, "not known here"),
        (code() + code(), PUBLIC, "Two codes"),
        (code(center=ADULT), PUBLIC, "another centre"),
        (code(key=Ed25519PrivateKey.generate()), PUBLIC, "not signed"),
        (code(), b"", "connect it"),
        (code(), b"short", "not signed"),
        (code(ends_in_s=0), PUBLIC, "has ended"),
    ],
    ids=("goods", "cut", "twice", "foreign", "forged", "no_key", "bad_key", "over"),
)
def test_any_other_code_opens_nothing_and_says_why(text: str, family_key: bytes, words: str) -> None:
    found = read_scan(text, family_key, CENTER, NOW_MS)
    assert isinstance(found, ScanFault)
    assert words in found.words


@pytest.mark.parametrize(("now_ms", "is_good"), [(0, True), (2_145_916_800_000, False), (2_147_483_648_000, False)])
def test_a_desk_in_1970_or_2038_reads_a_code_and_believes_its_own_time(now_ms: int, *, is_good: bool) -> None:
    assert isinstance(read_scan(code(), PUBLIC, CENTER, now_ms), FamilyCode) is is_good


def card(text: str, person_id: str, pepper: bytes = PEPPER, **more: int) -> CredentialRecord:
    return CredentialRecord(
        kind="barcode", person_id=person_id, seal=seal_of(text, pepper), pepper_id=pepper_id(pepper), **more
    )


def test_a_card_is_found_by_what_it_says_and_a_revoked_one_says_so() -> None:
    known = {"1": card("4012345678901", "ann"), "2": card("FOB-7", "bo", revoked_at_ms=NOW_MS)}
    found = find_card("4012345678901", PEPPER, known)
    assert isinstance(found, CredentialRecord)
    assert found.person_id == "ann"
    revoked = find_card("FOB-7", PEPPER, known)
    assert isinstance(revoked, ScanFault)
    assert "blocked" in revoked.words
    again = find_card("FOB-7", PEPPER, {**known, "3": card("FOB-7", "cy")})
    assert isinstance(again, CredentialRecord)
    assert again.person_id == "cy", "a card that was given out anew is good"
    assert find_card("4012345678902", PEPPER, known) is None
    assert find_card(code(), PEPPER, known) is None
    assert find_card("4012345678901", PEPPER, {}) is None


def test_a_desk_without_the_key_says_that_it_cannot_check_cards() -> None:
    known = {"1": card("4012345678901", "ann")}
    for pepper in (b"", bytes(32)):
        fault = find_card("4012345678901", pepper, known)
        assert isinstance(fault, ScanFault)
        assert "connect it" in fault.words
    found = find_card("4012345678901", PEPPER, {**known, "2": card("4012345678901", "old", bytes(32))})
    assert isinstance(found, CredentialRecord)
    assert found.person_id == "ann"
    later = msgspec.structs.replace(known["1"], kind="face")
    assert find_card("4012345678901", PEPPER, {"1": later}) is None
