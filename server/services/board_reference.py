"""What of a centre changes rarely, kept between its boards for as long as the log says that nobody changed it.

A board is made up to twenty times a second, and each of them needs every child on file, the rooms, the ratio rules and
the alerts. All of these are held by devices, so no write to them goes past the log (a trigger refuses it): when no row
of the reference bucket came after the version at which they were read, they stand as they were.
"""

from dataclasses import dataclass, replace
from typing import Final

from server.core.errors import NotFound
from server.models.rooms import Center, CenterRatioRules, Room
from server.repositories import centers, change_log, live_board, ratio
from server.repositories.live_board import BoardAlert, BoardPerson
from server.repositories.unit_of_work import Connection
from server.services.board import ALERTS_MAX, PEOPLE_MAX
from sync.change_log import Head

MINUTE_MS: Final = 60_000
# Centres with somebody who watches. One of a thousand children on file takes a megabyte, and most have a hundred.
CENTERS_MAX: Final = 100
_NO_HEAD: Final = Head("", 0, b"")


@dataclass(frozen=True, slots=True)
class Reference:
    """Who and what there is at a centre, as its log had it at `head`; read in the minute `minute` since 1970."""

    head: Head
    minute: int
    center: Center
    rooms: tuple[Room, ...]
    rules: tuple[CenterRatioRules, ...]
    people: tuple[BoardPerson, ...]
    alerts: tuple[BoardAlert, ...]


class References:
    """Keeps what was read of each centre, and reads it again when the log or the minute says so."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, Reference] = {}

    async def of(self, connection: Connection, center_id: str, head: Head | None, now_ms: int) -> Reference:
        """Give it as it stands at the `head` that this very snapshot has; `now_ms` is UTC milliseconds.

        After a minute it is read anew whatever the log says: the hours of a centre, which no device holds, and what
        somebody wrote behind the server's back.

        Raises:
            NotFound: there is no such centre.

        """
        minute = now_ms // MINUTE_MS
        if head is None:
            return await _read(connection, center_id, _NO_HEAD, minute)
        known = self._known.get(center_id)
        if known is not None and known.minute == minute and await _still_holds(connection, center_id, known.head, head):
            found = replace(known, head=head)
        else:
            found = await _read(connection, center_id, head, minute)
        if known is None or not _is_newer(known.head, head):
            self._keep(center_id, found)
        return found

    def _keep(self, center_id: str, found: Reference) -> None:
        if len(self._known) >= CENTERS_MAX and center_id not in self._known:
            self._known.clear()
        self._known[center_id] = found


def _is_newer(known: Head, head: Head) -> bool:
    """Whether a snapshot that began later has been read already: this one does not see the rows behind its own head."""
    return known.epoch == head.epoch and known.version > head.version


async def _still_holds(connection: Connection, center_id: str, known: Head, head: Head) -> bool:
    """Whether nothing of the reference bucket came between what is known and a head of the same life."""
    if known.epoch != head.epoch or known.version > head.version:
        return False
    return known.version == head.version or not await change_log.has_reference_between(
        connection, center_id, after=known.version, through=head.version
    )


async def read_center(connection: Connection, center_id: str) -> Center:
    """Give a centre. Raises NotFound when there is none."""
    found = await centers.read(connection, center_id)
    if found is None:
        raise NotFound("There is no such centre")
    return found


async def _read(connection: Connection, center_id: str, head: Head, minute: int) -> Reference:
    return Reference(
        head=head,
        minute=minute,
        center=await read_center(connection, center_id),
        rooms=tuple(await centers.rooms_read(connection, center_id)),
        rules=tuple(await ratio.rules_read(connection, center_id)),
        people=tuple(await live_board.people(connection, center_id, limit=PEOPLE_MAX)),
        alerts=tuple(await live_board.alerts(connection, center_id, limit=ALERTS_MAX)),
    )
