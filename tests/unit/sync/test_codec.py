"""Bytes to message and back, and every way in which bytes can be no message."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.codec import decode_from_device, decode_from_server, encode
from sync.errors import CloseCode, UndecodableMessage
from sync.limits import FRAME_BYTES_MAX, PUSH_ENTRIES_MAX
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    DeviceMessage,
    Heartbeat,
    Hello,
    Page,
    Push,
    PushStored,
    ServerMessage,
    SnapshotPart,
    Welcome,
)
from tests.unit.sync.builders import instances, journal_of

FROM_DEVICE = (Hello, Push, Applied, Heartbeat)
FROM_SERVER = (Welcome, PushStored, SnapshotPart, Page, Heartbeat, Advice)
DECODERS = (decode_from_device, decode_from_server)
ARRAY_32_OF_FOUR_BILLION = b"\xdd\xff\xff\xff\xff"

from_device = st.one_of([instances(kind) for kind in FROM_DEVICE])
from_server = st.one_of([instances(kind) for kind in FROM_SERVER])


def as_array(frame: bytes) -> list[Any]:
    told = msgspec.msgpack.decode(frame)
    assert isinstance(told, list)
    return told


@given(from_device)
def test_what_a_device_sends_arrives(message: DeviceMessage) -> None:
    assert decode_from_device(encode(message)) == message


@given(from_server)
def test_what_the_server_sends_arrives(message: ServerMessage) -> None:
    assert decode_from_server(encode(message)) == message


@given(st.one_of(from_device, from_server), st.data())
def test_a_frame_that_was_cut_is_no_message(message: DeviceMessage | ServerMessage, data: st.DataObject) -> None:
    frame = encode(message)
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    for decode in DECODERS:
        with pytest.raises(UndecodableMessage):
            decode(cut)


@given(st.one_of(from_device, from_server), st.binary(min_size=1, max_size=4))
def test_a_frame_with_something_behind_it_is_no_message(message: DeviceMessage | ServerMessage, more: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(UndecodableMessage):
            decode(encode(message) + more)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_a_message_or_undecodable(frame: bytes) -> None:
    for decode in DECODERS:
        try:
            decode(frame)
        except UndecodableMessage:
            continue


@given(st.one_of(from_device, from_server), st.data())
def test_a_message_with_bytes_flipped_is_a_message_or_undecodable(
    message: DeviceMessage | ServerMessage, data: st.DataObject
) -> None:
    frame = bytearray(encode(message))
    for index in data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=3)):
        frame[index] = data.draw(st.integers(0, 255))
    for decode in DECODERS:
        try:
            decode(bytes(frame))
        except UndecodableMessage:
            continue


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x92\x03" + ARRAY_32_OF_FOUR_BILLION,
        ARRAY_32_OF_FOUR_BILLION + b"\x03",
        b"\x94\x08\x01\x00" + b"\x91" * 200_000 + b"\x00",
        b"\x93\x08\xc7\x05\x01\x01\x02\x03\x04\x05\x00",
        b"\x93\x07\xa2\xff\xff\x01",
        b"\x93\x08\xc3\x00",
    ],
    ids=["nothing", "huge push", "huge message", "deep", "extension type", "no utf-8", "true for a number"],
)
def test_hostile_bytes_are_undecodable_and_cost_nothing(frame: bytes) -> None:
    with pytest.raises(UndecodableMessage):
        decode_from_device(frame)


def test_the_reason_is_short_and_does_not_repeat_what_was_sent() -> None:
    frame = msgspec.msgpack.encode([7, "Ann Lee" * 100, 1])
    with pytest.raises(UndecodableMessage) as caught:
        decode_from_device(frame)
    assert "Ann" not in str(caught.value)
    assert len(str(caught.value)) <= 120


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("tag", [0, 10, -1, 255, "1", None])
def test_an_unknown_tag_is_undecodable(decode: Any, tag: object) -> None:
    with pytest.raises(UndecodableMessage):
        decode(msgspec.msgpack.encode([tag, 1, 2, 3]))


def test_each_side_accepts_only_what_the_other_side_may_say() -> None:
    with pytest.raises(UndecodableMessage):
        decode_from_device(encode(Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=1)))
    with pytest.raises(UndecodableMessage):
        decode_from_server(encode(Applied(epoch="", version=1)))


def test_a_frame_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(UndecodableMessage) as caught:
        decode_from_device(bytes(FRAME_BYTES_MAX + 1))
    assert caught.value.code is CloseCode.TOO_BIG


def test_a_message_of_our_own_that_is_too_large_is_a_defect() -> None:
    entry = msgspec.structs.replace(journal_of(1)[0], body=bytes(FRAME_BYTES_MAX))
    with pytest.raises(ValueError, match="a Push of"):
        encode(Push((entry,)))


@pytest.mark.parametrize("count", [0, PUSH_ENTRIES_MAX + 1])
def test_a_push_of_nothing_or_of_too_much_is_undecodable(count: int) -> None:
    entry = as_array(encode(Push(journal_of(1))))[1][0]
    small = [*entry[:4], b"", *entry[5:]]
    with pytest.raises(UndecodableMessage):
        decode_from_device(msgspec.msgpack.encode([3, [small] * count]))


@given(st.one_of(from_device, from_server))
def test_what_a_later_version_adds_at_the_end_is_ignored(message: DeviceMessage | ServerMessage) -> None:
    later = msgspec.msgpack.encode([*as_array(encode(message)), "new", {"a": [1]}, b"x"])
    decode = decode_from_device if isinstance(message, FROM_DEVICE) else decode_from_server
    assert decode(later) == message


def test_what_a_later_version_adds_to_an_entry_is_ignored_too() -> None:
    push = Push(journal_of(2))
    told = as_array(encode(push))
    later = [told[0], [[*entry, "new"] for entry in told[1]]]
    assert decode_from_device(msgspec.msgpack.encode(later)) == push


@pytest.mark.parametrize(
    ("short", "meant"),
    [
        ([8, 5], Heartbeat(version=5)),
        ([7, "e", 5], Applied(epoch="e", version=5)),
        ([7, "e", 0, 3], Applied(epoch="e", version=0, snapshot_part=3)),
    ],
)
def test_what_an_earlier_version_does_not_send_takes_its_default(short: list[Any], meant: DeviceMessage) -> None:
    assert decode_from_device(msgspec.msgpack.encode(short)) == meant


def test_a_push_stored_without_outcomes_is_whole() -> None:
    assert decode_from_server(msgspec.msgpack.encode([4, 7, b""])) == PushStored(through_seq=7, hash=b"")
