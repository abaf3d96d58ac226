"""The form of an Idempotency-Key."""

import pytest

from server.controllers.repeats import KEY_CHARACTERS_MAX, read_key
from server.core.errors import InvalidInput

UUID = "8e03978e-40d5-43e8-bc93-6894a57f9324"


@pytest.mark.parametrize("value", [UUID, f'"{UUID}"', f"  {UUID} ", "a", "x" * KEY_CHARACTERS_MAX])
def test_a_key_is_bare_or_in_quotes(value: str) -> None:
    assert read_key(value) == value.strip().strip('"')


@pytest.mark.parametrize("value", ["", " ", '""', "a b", '"a', "a, b", "é", "a\0", '"a\\b"', "x" * 256, f'"{UUID}";p'])
def test_anything_else_is_refused_with_its_pointer(value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_key(value)
    assert [one.pointer for one in refused.value.problems] == ["#header/idempotency-key"]
