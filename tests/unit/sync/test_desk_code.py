"""A desk code is known for its desk and its minutes, and for nothing else."""

import pytest

from sync.desk_code import CODE_CHARACTERS, STEP_MS, desk_code, desk_of, left_ms, shown, typed_code
from sync.pickup_code import ALPHABET

PEPPER, OTHER = bytes(range(32)), bytes(32)
FRONT, BACK = "019a0000-0000-7000-8000-00000000000f", "019a0000-0000-7000-8000-00000000000b"
NOW_MS = 1_790_000_040_000  # a minute begins


def test_a_code_is_the_same_in_every_version_and_spread_over_the_alphabet() -> None:
    assert desk_code(PEPPER, FRONT, NOW_MS) == desk_code(PEPPER, FRONT, NOW_MS + STEP_MS - 1) == "7FKG4MHC"
    codes = {desk_code(PEPPER, FRONT, NOW_MS + number * STEP_MS) for number in range(1_000)}
    assert len(codes) == 1_000
    for place in range(CODE_CHARACTERS):
        assert {code[place] for code in codes} == set(ALPHABET)


def test_a_code_is_of_one_desk_under_one_pepper() -> None:
    code = desk_code(PEPPER, BACK, NOW_MS)
    assert desk_of(code, PEPPER, (FRONT, BACK), NOW_MS) == BACK
    assert desk_of(code, PEPPER, (BACK, FRONT), NOW_MS) == BACK
    assert desk_of(code, PEPPER, (FRONT,), NOW_MS) is None
    assert desk_of(code, OTHER, (FRONT, BACK), NOW_MS) is None
    assert desk_of("", PEPPER, (FRONT, BACK), NOW_MS) is None
    assert desk_of(code, PEPPER, (), NOW_MS) is None


@pytest.mark.parametrize(
    ("later_ms", "is_good"),
    [
        (-STEP_MS - 1, False), (-STEP_MS, True), (0, True), (3 * STEP_MS - 1, True), (3 * STEP_MS, False),
    ],
)  # fmt: skip
def test_a_code_is_good_for_two_more_minutes_and_from_a_desk_that_is_a_minute_ahead(
    later_ms: int, is_good: bool
) -> None:
    code = desk_code(PEPPER, FRONT, NOW_MS)
    assert (desk_of(code, PEPPER, (FRONT,), NOW_MS + later_ms) == FRONT) is is_good


def test_a_code_is_shown_until_its_minute_ends() -> None:
    assert [left_ms(NOW_MS + more) for more in (0, 1, STEP_MS - 1, STEP_MS)] == [STEP_MS, STEP_MS - 1, 1, STEP_MS]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("C3FK DD47", "C3FKDD47"), ("c3fkdd47", "C3FKDD47"), (" c3fk-dd47 ", "C3FKDD47"), ("C3FKDD4", ""), ("", ""),
        ("C3FKDD477", ""), ("C3FKDD40", ""), ("C3FK/DD47", ""), ("ÇÇÇÇÇÇÇÇ", ""),
    ],
)  # fmt: skip
def test_what_a_person_types_is_a_code_or_none(typed: str, code: str) -> None:
    assert typed_code(typed) == code


def test_a_code_is_shown_in_two_groups() -> None:
    assert shown("C3FKDD47") == "C3FK DD47"
