"""Whether the pick-up list lets an adult collect by an app."""

from datetime import date, timedelta

import pytest

from server.models.people import PickupAuthorisation
from server.services.my_attendance import may_collect

DAY = date(2026, 9, 21)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "valid_from", "valid_to", "may"),
    [
        ("authorised", None, None, True), ("temporary", DAY, DAY, True), ("authorised", BEFORE, AFTER, True),
        ("authorised", AFTER, None, False), ("authorised", None, BEFORE, False), ("suspended", None, None, False),
        ("not_authorised", None, None, False),
    ],
)  # fmt: skip
def test_only_whom_the_list_lets_today_may_collect(
    status: str, valid_from: date | None, valid_to: date | None, *, may: bool
) -> None:
    pickup = PickupAuthorisation(
        center_id="", id="", child_id="", adult_id="", status=status, valid_from=valid_from, valid_to=valid_to
    )
    assert may_collect(pickup, DAY) is may
    assert not may_collect(None, DAY)
