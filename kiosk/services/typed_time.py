"""Times that a person types: hours and minutes of a day at the centre, never in the future."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from kiosk.services.errors import DeskError

_TIME: Final = re.compile(r"([0-9]{1,2})[:.]?([0-9]{2})", re.ASCII)
_HOURS: Final = 24
_MINUTES: Final = 60


def typed_ms(text: str, day: str, time_zone: str, now_ms: int) -> int:
    """UTC milliseconds of `08:10`, `8.10` or `0810` on a day (YYYY-MM-DD) of the centre's calendar.

    An hour that comes twice, when clocks are put back, is meant as the first.

    Raises:
        DeskError: bad_input; it is no time, the clocks skip it on that day, or it has not come yet.

    """
    found = _TIME.fullmatch(text.strip())
    hour, minute = (int(part) for part in found.groups()) if found else (_HOURS, 0)
    if hour >= _HOURS or minute >= _MINUTES:
        raise DeskError("bad_input", "Type the time as hours and minutes, like 08:10.")
    local = datetime.fromisoformat(day).replace(hour=hour, minute=minute, tzinfo=ZoneInfo(time_zone))
    moment = local.astimezone(UTC)
    if moment.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise DeskError("bad_input", f"The clocks were put forward over {hour:02}:{minute:02} on that day.")
    at_ms = round(moment.timestamp() * 1000)
    if at_ms > now_ms:
        raise DeskError("bad_input", f"{hour:02}:{minute:02} has not come yet; a time in the future is not recorded.")
    return at_ms
