"""What a device says of itself is read as strictly as what it says of a child."""

import msgspec
import pytest

from sync.incidents import DeviceIncident, Incident, decode_incident, encode_incident
from sync.limits import ENTRY_BODY_BYTES_MAX, INCIDENT_DETAILS_MAX
from tests.unit.sync.builders import NINE_MS, uuid_of

FORKED = DeviceIncident(
    event_id=uuid_of(1),
    incident=Incident.JOURNAL_FORKED,
    occurred_at_ms=NINE_MS,
    detail={"entries": 4, "old_incarnation": "a"},
)


def test_an_incident_comes_back_as_it_was_written() -> None:
    assert decode_incident(encode_incident(FORKED)) == FORKED


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": "no id"},
        {"occurred_at_ms": 0},
        {"detail": {"With Capitals": 1}},
        {"detail": {"name": "two\nlines"}},
        {"detail": {"name": "x" * 201}},
        {"detail": {"number": 1.5}},
        {"detail": {f"n{number}": number for number in range(INCIDENT_DETAILS_MAX + 1)}},
    ],
)
def test_an_impossible_value_is_refused(changes: dict[str, object]) -> None:
    body = msgspec.json.encode({**msgspec.to_builtins(FORKED), **changes})
    with pytest.raises(msgspec.ValidationError):
        decode_incident(body)


def test_an_incident_of_a_newer_device_is_refused_by_its_name() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_incident(encode_incident(FORKED).replace(b"journal_forked", b"coffee_spilt"))


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(msgspec.ValidationError, match="bytes"):
        decode_incident(b" " * (ENTRY_BODY_BYTES_MAX + 1))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_bytes_that_are_no_json_are_refused(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_incident(body)
