"""Which desks should be heard, and are not."""

from datetime import UTC, datetime, time, timedelta

import pytest

from server.models.rooms import Center
from server.repositories.device_silences import HeardDesk
from server.services.device_silences import SILENT_AFTER, Turned, opened_at, turned_of

NOW = datetime(2026, 9, 21, 14, 13, tzinfo=UTC)  # 15:13 in Lisbon
NIGHT = datetime(2026, 9, 22, 2, 0, tzinfo=UTC)


def center(opens: time | None, closes: time | None) -> Center:
    return Center(
        id="c", organisation_id="o", code="c", name="C", time_zone="Europe/Lisbon", opens_at=opens, closes_at=closes
    )


@pytest.mark.parametrize(
    ("opens", "closes", "now", "opened"),
    [
        (time(7), time(18), NOW, datetime(2026, 9, 21, 6, tzinfo=UTC)),
        (time(7), None, NOW, datetime(2026, 9, 21, 6, tzinfo=UTC)),
        (time(7), time(15), NOW, None),
        (time(16), time(18), NOW, None),
        (None, time(18), NOW, None),
        (time(7), time(18), NIGHT, None),
        (time(20), time(6), NIGHT, datetime(2026, 9, 21, 19, tzinfo=UTC)),
        (time(20), time(6), NOW, None),
    ],
)
def test_a_centre_is_open_by_its_own_clock(
    opens: time | None, closes: time | None, now: datetime, opened: datetime | None
) -> None:
    found = opened_at(now, center(opens, closes))
    assert (found and found[0]) == opened


def test_a_desk_is_silent_a_while_after_the_centre_opened_and_until_it_is_heard() -> None:
    opened, just = NOW - timedelta(hours=1), NOW - SILENT_AFTER
    desks = [
        HeardDesk("quiet", just, None),
        HeardDesk("lively", just + timedelta(seconds=1), None),
        HeardDesk("known", NOW - timedelta(days=2), NOW - timedelta(days=2)),
        HeardDesk("back", NOW, NOW - timedelta(days=2)),
    ]
    heard = {"back": NOW - timedelta(days=2)}
    assert turned_of(desks, opened, NOW) == Turned({"quiet": just}, heard)
    # At night, and in the first minutes of a day, nobody is missed; who comes back is heard at any time.
    assert turned_of(desks, None, NOW) == Turned({}, heard)
    assert turned_of(desks, NOW - timedelta(minutes=14), NOW) == Turned({}, heard)
