"""Lines of CSV (RFC 4180) that spreadsheet programs open as they are meant, and never run.

Every cell is quoted. A spreadsheet takes a cell that begins with one of a few characters for a formula, and what a
cell holds came from anybody: such a beginning gets an apostrophe in front of it, and so does one behind a separator,
since a program that is set to another separator than the comma cuts the cell there (OWASP, "CSV Injection").
"""

import re
from collections.abc import Iterable
from typing import Final

BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Stands before the first line: without it some spreadsheet programs read UTF-8 as something else."""

_LINE_END: Final = "\r\n"
# The second part are the same signs in full width, which some programs read alike.
_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_DANGEROUS: Final = re.compile(rf"(^[\t\r\n]|(?:^|[,;|\t\r\n])[\s\"']*[{_SIGNS}])")


def csv_line(cells: Iterable[str]) -> str:
    """Give one line with its end."""
    return ",".join(f'"{defused(cell).replace(chr(34), chr(34) * 2)}"' for cell in cells) + _LINE_END


def defused(cell: str) -> str:
    """Give a cell in which no part is taken for a formula; what is harmless stays as it is."""
    return _DANGEROUS.sub(_with_apostrophe, cell)


def _with_apostrophe(found: re.Match[str]) -> str:
    """The apostrophe goes to where the cell that a spreadsheet sees begins."""
    text = found.group()
    is_behind = text[0] in ",;|\t\r\n" and len(text) > 1
    return f"{text[0]}'{text[1:]}" if is_behind else f"'{text}"
