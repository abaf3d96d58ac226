"""Which version is newer, whatever a server says."""

import pytest

from kiosk.services.versions import newer_version


@pytest.mark.parametrize(
    ("theirs", "own", "is_newer"),
    [
        ("0.2.0", "0.1.0", True),
        ("0.10", "0.9.9", True),
        ("1.0", "0.99.99", True),
        ("1.0.1rc1", "1.0", True),
        ("1.2.0", "1.2", False),
        ("0.1.0", "0.2.0", False),
        ("0.1.0", "0.1.0", False),
        ("", "0.1.0", False),
        ("9.0", "", False),
        ("latest", "0.1.0", False),
        ("9" * 50, "0.1.0", False),
        ("9.9 \x1b[2J", "0.1.0", False),
        ("٩.٩", "0.1.0", False),
    ],
)
def test_only_greater_numbers_are_newer(theirs: str, own: str, is_newer: bool) -> None:
    assert newer_version(theirs, own) == (theirs if is_newer else "")
