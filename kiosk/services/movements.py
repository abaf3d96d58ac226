"""Children who come and go: what the door of this desk records."""

from kiosk.services.children import child_of
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from sync.attendance import EventKind


class Movements:
    """Arrivals and departures, each looked at and recorded as one step."""

    def __init__(self, parts: DeskParts) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder

    async def check_in(
        self, child_id: str, *, occurred_at_ms: int | None = None, staff_id: str = "", note: str = ""
    ) -> Recorded:
        """As `Desk.check_in`."""
        async with self._recorder.one_at_a_time:
            self._refusals.require_known(child_id)
            self._refusals.require_name(child_id)
            self._refusals.require_not_in(child_id)
            wish = self._wish(EventKind.CHECK_IN, child_id, occurred_at_ms, staff_id=staff_id, note=note)
            return (await self._recorder.record(wish))[0]

    async def check_out(
        self,
        child_id: str,
        *,
        adult_id: str = "",
        adult_name: str = "",
        occurred_at_ms: int | None = None,
        staff_id: str = "",
    ) -> Recorded:
        """As `Desk.check_out`."""
        async with self._recorder.one_at_a_time:
            self._refusals.require_known(child_id)
            self._refusals.require_in(child_id, occurred_at_ms)
            self._refusals.require_may_collect(child_id, adult_id, adult_name)
            who = {"staff_id": staff_id, "adult_id": adult_id, "adult_name": adult_name}
            wish = self._wish(EventKind.CHECK_OUT, child_id, occurred_at_ms, **who)
            return (await self._recorder.record(wish))[0]

    def _wish(self, kind: EventKind, child_id: str, occurred_at_ms: int | None, **more: str) -> Wish:
        room_id = child_of(self._following.knowledge, child_id).home_room_id
        said: dict[str, str] = {"child_id": child_id, "room_id": room_id, **more}
        return Wish(kind=kind, occurred_at_ms=occurred_at_ms, **said)  # type: ignore[arg-type]
