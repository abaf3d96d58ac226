"""A family code is read back as it was made, and nothing else is one."""

import pytest

from sync.family_code import CODE_CHARACTERS, FamilyCode, code_text, looks_like_code, read_code

CODE = FamilyCode(
    center_id="018f0000-0000-7000-8000-0000000000c1",
    adult_id="018f0000-0000-7000-8000-0000000000a1",
    expires_at_s=4_102_444_800,
    nonce=b"12345678",
)
SIGNATURE = bytes(range(64))
TEXT = code_text(CODE, SIGNATURE)


def test_a_code_is_read_back_as_it_was_made_with_capital_or_small_letters() -> None:
    assert read_code(TEXT) == (CODE, SIGNATURE)
    assert read_code(TEXT.lower()) == (CODE, SIGNATURE)
    assert len(TEXT) == CODE_CHARACTERS
    assert set(TEXT) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def test_what_is_signed_is_bound_to_its_purpose_and_to_every_part() -> None:
    assert CODE.to_sign().startswith(b"rollcall-family-code-v1\n")
    assert len(CODE.said()) == 44


@pytest.mark.parametrize(
    "text",
    [
        "", "RC1", TEXT[:-1], TEXT + "A", "RC2" + TEXT[3:], "é" * CODE_CHARACTERS, TEXT[:-2] + "!A",
        TEXT[:50] + "1" + TEXT[51:], TEXT[:-1] + "B",
    ],
)  # fmt: skip
def test_anything_else_is_no_code(text: str) -> None:
    assert read_code(text) is None


def test_what_means_to_be_a_code_is_told_from_a_barcode() -> None:
    assert looks_like_code(TEXT)
    assert looks_like_code(TEXT.lower()[:100])
    assert not looks_like_code("RC1")
    assert not looks_like_code("4012345678901")
