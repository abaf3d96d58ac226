"""Amounts have the decimals of their currency, and nothing else is one."""

from decimal import Decimal

import pytest

from server.core.errors import InvalidInput
from server.core.money import digits_of, money_text, read_money, rounded


@pytest.mark.parametrize(
    ("text", "currency", "shown"),
    [
        ("12.5", "EUR", "12.50"),
        ("0", "EUR", "0.00"),
        ("700", "JPY", "700"),
        ("1.255", "KWD", "1.255"),
        ("9", "XYZ", "9.00"),
    ],
)
def test_an_amount_is_shown_with_all_decimals_of_its_currency(text: str, currency: str, shown: str) -> None:
    assert money_text(read_money(text, currency, what="The price"), currency) == shown


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("12.505", "EUR"),
        ("1.5", "JPY"),
        ("-1", "EUR"),
        ("1e3", "EUR"),
        ("", "EUR"),
        ("12345678", "EUR"),
        ("٣", "EUR"),
        ("1.", "EUR"),
    ],
)
def test_what_is_no_amount_is_refused_with_a_sentence(text: str, currency: str) -> None:
    with pytest.raises(InvalidInput, match="The price"):
        read_money(text, currency, what="The price")


def test_half_a_coin_is_rounded_up() -> None:
    assert rounded(Decimal("0.125"), "EUR") == Decimal("0.13")
    assert rounded(Decimal("0.5"), "JPY") == Decimal(1)
    assert [digits_of(one) for one in ("EUR", "JPY", "BHD")] == [2, 0, 3]
