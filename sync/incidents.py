"""What a device tells of itself: entries of its journal that are about the device and not about a child.

An incident travels as every other testimony does: signed, in order, stored for ever. The server keeps it for people
and writes nothing of it to the change log.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from sync.attendance import Line, Uuid, WallMs
from sync.limits import ENTRY_BODY_BYTES_MAX, INCIDENT_DETAILS_MAX, INT64_MAX

INCIDENT_KIND: Final = "device_incident"

DetailName = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[a-z0-9_]+$")]
DetailNumber = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Detail = dict[DetailName, DetailNumber | Line]


class Incident(StrEnum):
    """What happened to a device that people should know of."""

    JOURNAL_FORKED = "journal_forked"
    REPLICA_QUARANTINED = "replica_quarantined"
    BUCKET_REPAIRED = "bucket_repaired"
    RECONCILED = "reconciled"
    CLOCK_STEPPED = "clock_stepped"
    LEASE_EXPIRED = "lease_expired"


class DeviceIncident(msgspec.Struct, frozen=True, kw_only=True):
    """The body of such an entry. `detail` holds a few numbers and short texts, never a name of a person."""

    event_id: Uuid
    incident: Incident
    occurred_at_ms: WallMs
    detail: Annotated[Detail, msgspec.Meta(max_length=INCIDENT_DETAILS_MAX)] = {}


_DECODER: Final = msgspec.json.Decoder(DeviceIncident)


def encode_incident(incident: DeviceIncident) -> bytes:
    """The exact bytes that are signed."""
    return msgspec.json.encode(incident)


def decode_incident(body: bytes) -> DeviceIncident:
    """Read an incident strictly.

    Raises:
        msgspec.ValidationError: a value is impossible, or it is too large.
        msgspec.DecodeError: the bytes are not JSON.
        UnicodeDecodeError: the bytes are not UTF-8.

    """
    if len(body) > ENTRY_BODY_BYTES_MAX:
        message = f"an incident of {len(body)} bytes"
        raise msgspec.ValidationError(message)
    body.decode()
    return _DECODER.decode(body)
