"""Enrolment codes as people type them."""

import pytest

from server.services.enrolment import ALPHABET, EnrolmentCodeWrong, normalised


@pytest.mark.parametrize("typed", ["7KQX-M2PD", "7kqx-m2pd", " 7KQX M2PD ", "7KQXM2PD", "7-K-Q-X-M-2-P-D"])
def test_a_code_may_be_typed_in_any_way(typed: str) -> None:
    assert normalised(typed) == "7KQXM2PD"


@pytest.mark.parametrize("typed", ["", "7KQX", "7KQX-M2PDD", "0KQX-M2PD", "7KQX-M2PÐ", "ⅶKQX-M2PD"])
def test_what_cannot_be_a_code_is_wrong(typed: str) -> None:
    with pytest.raises(EnrolmentCodeWrong):
        normalised(typed)


def test_no_letter_of_a_code_looks_like_another() -> None:
    assert not set(ALPHABET) & set("01OIL")
    assert len(set(ALPHABET)) == len(ALPHABET) == 31
