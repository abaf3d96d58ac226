"""The records as devices see them: ids, entities, buckets, and the structs behind every body.

A body is the exact UTF-8 JSON that `encode_record` made once, on the server. It is stored, hashed and sent as these
bytes and never encoded again, so a commitment made over it stays true for ever.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, NewType
from zoneinfo import ZoneInfo

import msgspec

from sync.ratio_rules import RatioRuleSet

CenterId = NewType("CenterId", str)
ChildId = NewType("ChildId", str)
PersonId = NewType("PersonId", str)
RoomId = NewType("RoomId", str)
DeviceId = NewType("DeviceId", str)
EventId = NewType("EventId", str)

REFERENCE_BUCKET: Final = "reference"
DAY_BUCKET_PREFIX: Final = "day:"

# Of one child, in its record: a year of single days and of holidays; 64 of 120 bytes are 8 KiB of a record's 64.
ABSENCES_MAX: Final = 64

# A picture of 32 by 32 points with 64 colours is 1.3 kB in JSON: of 3,000 people 4 MB, and one in a page is not felt.
PICTURE_SIDE: Final = 32
PICTURE_COLOURS_MAX: Final = 64
PIXELS: Final = PICTURE_SIDE * PICTURE_SIDE
PALETTE_CHARACTERS_MAX: Final = PICTURE_COLOURS_MAX * 4  # three bytes are four characters of base64

Name = Annotated[str, msgspec.Meta(max_length=200)]
ShortText = Annotated[str, msgspec.Meta(max_length=500)]


class Entity(StrEnum):
    """What a row of the change log is about."""

    CENTER = "center"
    ROOM = "room"
    CHILD = "child"
    ADULT = "adult"
    PICKUP = "pickup"
    STAFF = "staff"
    EVENT = "event"
    CREDENTIAL = "credential"
    PICTURE = "picture"


# A snapshot is sent in this order, so that a desk that is cut off early already holds what keeps children safe.
# Pictures are last: they are the most of the bytes, and a desk can do without.
SNAPSHOT_PRIORITY: Final = (
    Entity.CENTER,
    Entity.ROOM,
    Entity.CHILD,
    Entity.PICKUP,
    Entity.ADULT,
    Entity.STAFF,
    Entity.CREDENTIAL,
    Entity.EVENT,
    Entity.PICTURE,
)


class ClosureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Days (YYYY-MM-DD, both included) on which the centre is closed."""

    first_day: str
    last_day: str
    reason: Name = ""


class LockRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Days (YYYY-MM-DD, both included) whose figures stand as they were known at a moment (UTC milliseconds)."""

    first_day: str
    last_day: str
    locked_at_ms: int


class CenterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A licensed premises; `time_zone` is an IANA name and decides what "today" is.

    What is not set is left out of the bytes: records of older servers stay what they were. `ratio_rules` are in order
    of the days from which they hold, at most `ratio_rules.RULE_SETS_MAX`, with windows for times.
    """

    code: str
    name: Name
    time_zone: str
    closures: tuple[ClosureRecord, ...] | msgspec.UnsetType = msgspec.UNSET
    locks: tuple[LockRecord, ...] | msgspec.UnsetType = msgspec.UNSET
    ratio_rules: tuple[RatioRuleSet, ...] | msgspec.UnsetType = msgspec.UNSET


class RoomRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A room of the centre; `capacity` is a number of children, 0 when it is not set."""

    name: Name
    capacity: int = 0
    sort: int = 0


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person must see before they act for this child; lives inside its child's record."""

    kind: str
    severity: str
    text: ShortText


class AbsenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Days (YYYY-MM-DD, both included) on which a child is announced not to come, and why; inside its child's record.

    `kind` is a word such as sick or holiday. Who said so, and what they said, stays on the server.
    """

    absence_id: str
    first_day: str
    last_day: str
    kind: str


class ChildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A child on the roster: what the desk needs to find it and to keep it safe, and no more.

    `absences` are at most `ABSENCES_MAX`, by their first days. It is enrolled from one day to another (YYYY-MM-DD, both
    included); what is not known is not set.
    """

    given_name: Name
    family_name: Name
    preferred_name: Name = ""
    birth_date: str = ""
    home_room_id: str = ""
    enrolled: bool = True
    alerts: tuple[AlertRecord, ...] = ()
    absences: tuple[AbsenceRecord, ...] | msgspec.UnsetType = msgspec.UNSET
    enrolled_from: str | msgspec.UnsetType = msgspec.UNSET
    enrolled_to: str | msgspec.UnsetType = msgspec.UNSET


class AdultRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A guardian or contact, as a desk sees one."""

    given_name: Name
    family_name: Name
    phone: str = ""


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """Since when (UTC milliseconds, by the server's clock) a pick-up had a status."""

    since_ms: int
    status: str


class PickupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this adult may collect this child: authorised, temporary, not_authorised or suspended.

    `history` is how it came to its status, oldest first, when that ever changed: what was so before the first change
    is in that one with `since_ms` 0.
    """

    child_id: str
    adult_id: str
    status: str
    relationship: str = ""
    legal_guardian: bool = False
    valid_from: str = ""
    valid_to: str = ""
    history: tuple[StatusChange, ...] | msgspec.UnsetType = msgspec.UNSET


class PinRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A PIN in the form in which desks check it (`sync.pins`): base64 of a salt and of a seal, and under which pepper.

    `set_at_ms` is when it was chosen (UTC milliseconds).
    """

    salt: Annotated[str, msgspec.Meta(max_length=64)]
    seal: Annotated[str, msgspec.Meta(max_length=64)]
    pepper_id: Annotated[str, msgspec.Meta(max_length=32)]
    set_at_ms: int


class StaffRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A member of staff of this centre, employed from one day to another (YYYY-MM-DD, both included).

    `pin` is left out while there is none.
    """

    given_name: Name
    family_name: Name
    role: str
    counts_in_ratio: bool = True
    pin: PinRecord | msgspec.UnsetType = msgspec.UNSET
    employed_from: str | msgspec.UnsetType = msgspec.UNSET
    employed_to: str | msgspec.UnsetType = msgspec.UNSET


class EventRecord(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A fact that the server stored: the exact event of the device, and where and when it came from.

    `event` is the journal entry's body, byte for byte; `received_at_ms` is the server's wall clock in UTC
    milliseconds since 1970; `outcome` is the name of its `sync.journal.Outcome`. `witnessed_by` is the device that put
    it back after the server had lost it; empty when the device that recorded it sent it.
    """

    event: msgspec.Raw
    device_id: str
    device_name: str
    incarnation: str
    seq: int
    hlc: int
    received_at_ms: int
    outcome: str
    witnessed_by: str = ""


class CredentialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A card or fob by which a child or an adult (`person_id`) is found; what it says stands nowhere.

    `kind` is a word: `barcode`. `seal` is base64 of what its text comes to under the centre's key (`sync.barcodes`),
    and `pepper_id` says under which. `revoked_at_ms` is since when (UTC milliseconds) it is good for nothing.
    """

    kind: Annotated[str, msgspec.Meta(max_length=40)]
    person_id: str
    seal: Annotated[str, msgspec.Meta(max_length=64)]
    pepper_id: Annotated[str, msgspec.Meta(max_length=32)]
    revoked_at_ms: int | msgspec.UnsetType = msgspec.UNSET


class PictureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The small picture of a child or an adult, whose id is that of the record; `sync.pictures` reads and makes it.

    `palette` is base64 of three bytes (red, green, blue) for each of at most 64 colours. `pixels` are 32 rows of 32
    points, from the top left; each is one character of the base64 alphabet, and stands for the colour of its number.
    """

    palette: Annotated[str, msgspec.Meta(max_length=PALETTE_CHARACTERS_MAX)]
    pixels: Annotated[str, msgspec.Meta(max_length=PIXELS)]


RECORD_TYPES: Final[dict[Entity, type[msgspec.Struct]]] = {
    Entity.CENTER: CenterRecord,
    Entity.ROOM: RoomRecord,
    Entity.CHILD: ChildRecord,
    Entity.ADULT: AdultRecord,
    Entity.PICKUP: PickupRecord,
    Entity.STAFF: StaffRecord,
    Entity.EVENT: EventRecord,
    Entity.CREDENTIAL: CredentialRecord,
    Entity.PICTURE: PictureRecord,
}


def encode_record(record: msgspec.Struct) -> bytes:
    """The one place where a record becomes the bytes that are logged, hashed and sent."""
    return msgspec.json.encode(record)


def bucket_of_day(at_ms: int, time_zone: str) -> str:
    """The bucket of the centre's own calendar day on which `at_ms` (UTC milliseconds) falls."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return f"{DAY_BUCKET_PREFIX}{moment.date().isoformat()}"


def day_bounds_ms(day: str, time_zone: str) -> tuple[int, int]:
    """The first and the first-after millisecond (UTC) of a centre's calendar day; right across daylight saving."""
    zone = ZoneInfo(time_zone)
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=zone)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
