"""The lists of a live board as HTTP gives them: the first of each on the board, all of one behind its number."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.core.errors import NotFound
from server.schemas.live import (
    AnnouncedOut,
    BoardAllergyOut,
    BoardChildOut,
    BoardLeftOut,
    BoardNamesOut,
    BoardPersonOut,
    BookedOut,
    CallOut,
    ListedOut,
    NamesOf,
    NotHereOut,
    OverdueOut,
)
from server.services.board import (
    LISTED_MAX,
    AllergyPresent,
    Announced,
    Booked,
    ChildIn,
    ChildLeft,
    Listed,
    LiveBoard,
    Missed,
    Overdue,
    PersonIn,
    RoomBoard,
)
from server.services.board_plan import LastCall

# What is urgent is seen at once, and a board of a thousand children is no larger than one of ten in each list.
FIRST_MAX = 10


def names_out(board: LiveBoard, of: NamesOf, room_id: str) -> BoardNamesOut:
    """Give who stands behind a number; of a room without an id, those of whom nobody knows the room.

    Raises:
        NotFound: the centre has no such room.

    """
    zone = ZoneInfo(board.center.time_zone)
    room = _room(board, room_id) if of == "room" else None
    count, items = _room_items(room, zone) if of == "room" else _list_items(board, of, zone)
    return BoardNamesOut(
        as_of=board.as_of.astimezone(zone),
        epoch=board.mark.epoch,
        version=board.mark.version,
        of=of,
        count=count,
        items=items,
        staff=[] if room is None else people(room.staff, zone, room.name),
    )


def _room(board: LiveBoard, room_id: str) -> RoomBoard | None:
    found = next((room for room in board.rooms if room.room_id == room_id), None) if room_id else board.without_room
    if room_id and found is None:
        raise NotFound("This centre has no such room")
    return found


def _room_items(room: RoomBoard | None, zone: ZoneInfo) -> tuple[int, list[BoardChildOut]]:
    return (0, []) if room is None else (room.children_count.certain, children(room.children, zone))


def _list_items(
    board: LiveBoard, of: NamesOf, zone: ZoneInfo
) -> tuple[
    int,
    list[BoardPersonOut]
    | list[BookedOut]
    | list[AnnouncedOut]
    | list[NotHereOut]
    | list[OverdueOut]
    | list[ListedOut]
    | list[BoardAllergyOut]
    | list[BoardLeftOut],
]:
    match of:
        case "not_here":
            return board.not_here_count, not_here(board.not_here, zone)
        case "overdue":
            return board.overdue_count, overdue(board.overdue, zone)
        case "after_hours":
            return board.after_hours_count, after_hours(board.after_hours, zone)
        case "allergies":
            return board.allergies_count, allergies(board.allergies)
        case "left":
            return board.left_count, left(board.left, zone)
        case "expected":
            return board.expected_count, booked(board.expected, zone)
        case "announced":
            return board.announced_count, announced(board.announced)
        case "children":
            return board.children.certain, _all_children(board, zone)
        case "staff":
            return board.staff.certain, _all_staff(board, zone)
        case _:
            return board.visitors.certain, people(board.visitors_in, zone)


def _all_children(board: LiveBoard, zone: ZoneInfo) -> list[ListedOut]:
    found = [_listed(one, room.name, zone) for room in _all_rooms(board) for one in room.children]
    return sorted(found, key=lambda one: (one.name.casefold(), one.child_id))[:LISTED_MAX]


def _all_staff(board: LiveBoard, zone: ZoneInfo) -> list[BoardPersonOut]:
    found = [one for room in _all_rooms(board) for one in people(room.staff, zone, room.name)]
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))[:LISTED_MAX]


def _all_rooms(board: LiveBoard) -> list[RoomBoard]:
    return [*board.rooms, *([board.without_room] if board.without_room is not None else [])]


def children(found: Sequence[ChildIn], zone: ZoneInfo) -> list[BoardChildOut]:
    """Give children who are in."""
    return [
        BoardChildOut(
            child_id=one.child_id,
            name=one.name,
            stay_id=one.stay_id,
            since=_moment(one.since_ms, zone),
            critical=one.has_critical,
            allergies=list(one.allergies),
            disputed=one.is_disputed,
            room_assumed=one.is_assumed_room,
            on_file=one.is_on_file,
        )
        for one in found
    ]


def people(found: Sequence[PersonIn], zone: ZoneInfo, room_name: str = "") -> list[BoardPersonOut]:
    """Give staff or visitors who are in, in a room when one is said."""
    return [
        BoardPersonOut(
            id=one.person_id,
            name=one.name,
            stay_id=one.stay_id,
            room_name=room_name,
            since=_moment(one.since_ms, zone),
            counts_in_ratio=one.counts_in_ratio,
        )
        for one in found
    ]


def not_here(found: Sequence[Missed], zone: ZoneInfo) -> list[NotHereOut]:
    """Give who has not come."""
    return [
        NotHereOut(
            child_id=one.child_id,
            name=one.name,
            room_name=one.room_name,
            expected_at=None if one.expected_at_ms is None else _moment(one.expected_at_ms, zone),
            call=None if one.call is None else _call_out(one.call, zone),
        )
        for one in found
    ]


def booked(found: Sequence[Booked], zone: ZoneInfo) -> list[BookedOut]:
    """Give who is expected today by what was booked."""
    return [
        BookedOut(
            child_id=one.child_id,
            name=one.name,
            room_name=one.room_name,
            starts_at=_moment(one.starts_at_ms, zone),
            ends_at=_moment(one.ends_at_ms, zone),
            state=one.came.value,
        )
        for one in found
    ]


def announced(found: Sequence[Announced]) -> list[AnnouncedOut]:
    """Give who was announced to be absent."""
    return [AnnouncedOut(child_id=one.child_id, name=one.name, room_name=one.room_name) for one in found]


def overdue(found: Sequence[Overdue], zone: ZoneInfo) -> list[OverdueOut]:
    """Give who is in after what was booked."""
    return [
        OverdueOut(
            child_id=one.child_id,
            name=one.name,
            room_name=one.room_name,
            since=_moment(one.since_ms, zone),
            due_at=_moment(one.due_ms, zone),
        )
        for one in found
    ]


def after_hours(found: Sequence[Listed], zone: ZoneInfo) -> list[ListedOut]:
    """Give who is in after closing."""
    return [_listed(one, one.room_name, zone) for one in found]


def allergies(found: Sequence[AllergyPresent]) -> list[BoardAllergyOut]:
    """Give allergies of children who are in."""
    return [
        BoardAllergyOut(
            child_id=one.child_id,
            name=one.name,
            room_name=one.room_name,
            severity=one.alert.severity,
            text=one.alert.text,
        )
        for one in found
    ]


def left(found: Sequence[ChildLeft], zone: ZoneInfo) -> list[BoardLeftOut]:
    """Give who left today."""
    return [
        BoardLeftOut(
            child_id=one.child_id,
            name=one.name,
            stay_id=one.stay_id,
            left_at=_moment(one.left_at_ms, zone),
            collected_by=one.collected_by,
            assumed=one.is_assumed,
            disputed=one.is_disputed,
        )
        for one in found
    ]


def _listed(one: Listed | ChildIn, room_name: str, zone: ZoneInfo) -> ListedOut:
    since = _moment(one.since_ms, zone)
    return ListedOut(child_id=one.child_id, name=one.name, room_name=room_name, since=since, on_file=one.is_on_file)


def _call_out(call: LastCall, zone: ZoneInfo) -> CallOut:
    return CallOut(at=call.at.astimezone(zone), by=call.by_name, result=call.result, note=call.note, calls=call.calls)


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return datetime_of(wall_ms).astimezone(zone)
