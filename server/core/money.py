"""Amounts of money: decimals, as many digits as their currency has, and text in every document."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from server.core.errors import InvalidInput

# ISO 4217: how many decimals a currency has, where it is not two.
_DIGITS: Final = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_AMOUNT: Final = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?", re.ASCII)


def digits_of(currency: str) -> int:
    """Give how many decimals a currency (ISO 4217, three capitals) has; two for one that is not known here."""
    return _DIGITS.get(currency, 2)


def read_money(text: str, currency: str, *, what: str) -> Decimal:
    """Read an amount such as `12.50`: at most 9,999,999 and no finer than its currency.

    Raises:
        InvalidInput: it is none; the message names `what`.

    """
    if not _AMOUNT.fullmatch(text):
        raise InvalidInput(f"{what} is an amount such as 12.50, of at most seven digits before the point")
    amount = Decimal(text)
    if rounded(amount, currency) != amount:
        raise InvalidInput(f"{what} has more decimals than {currency} has ({digits_of(currency)})")
    return amount


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Give the amount in whole smallest coins of its currency; half a coin is rounded up."""
    return amount.quantize(Decimal(1).scaleb(-digits_of(currency)), ROUND_HALF_UP)


def money_text(amount: Decimal, currency: str) -> str:
    """Give the amount as documents carry it: with all decimals of its currency, and no more."""
    return format(rounded(amount, currency), "f")
