"""Pick-up codes: the same on every desk, different for every stay, and easy to read out."""

import pytest

from sync.pickup_code import ALPHABET, CODE_CHARACTERS, pickup_code, typed_codes

ARRIVAL = "019a0000-0000-7000-8000-000000000001"


def test_a_code_is_the_same_on_every_desk_and_in_every_version() -> None:
    assert pickup_code(ARRIVAL) == "J3RT"


def test_codes_of_different_arrivals_are_spread_over_the_alphabet() -> None:
    codes = [pickup_code(f"019a0000-0000-7000-8000-{number:012x}") for number in range(2_000)]
    assert all(len(code) == CODE_CHARACTERS for code in codes)
    assert len(set(codes)) > 1_950
    for place in range(CODE_CHARACTERS):
        assert {code[place] for code in codes} == set(ALPHABET)
    assert not set(ALPHABET) & set("AEIOU0Q1L2Z5S8B")


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("C3FK", {"C3FK"}),
        (" c3fk ", {"C3FK"}),
        ("c3-fk, Dd47", {"C3FK", "DD47"}),
        ("C3FKDD47", {"C3FK", "DD47"}),
        ("C3F", set()),
        ("C3FKD", set()),
        ("C3F0", set()),
        ("", set()),
        (" - ", set()),
    ],
)
def test_what_is_typed_is_read_as_it_was_meant(typed: str, codes: set[str]) -> None:
    assert typed_codes(typed) == codes
