"""The shape of what travels: tags, and defaults that an older peer leaves out."""

from typing import Any, get_args

import msgspec
import pytest

from sync.messages import (
    DeviceMessage,
    Heartbeat,
    Hello,
    Page,
    ServerMessage,
    SnapshotPart,
    StagedSnapshot,
    Welcome,
    proof_material,
)

DEVICE: list[Any] = list(get_args(DeviceMessage))
SERVER: list[Any] = list(get_args(ServerMessage))
# Fields of protocol 1; everything behind them must have a default.
PROTOCOL_1_FIELDS = {Hello: 13, Welcome: 10, Page: 6, SnapshotPart: 6, Heartbeat: 1}


def test_each_message_has_a_tag_of_its_own_and_heartbeats_go_both_ways() -> None:
    kinds = {*DEVICE, *SERVER}
    tags = [kind.__struct_config__.tag for kind in kinds]
    assert sorted(tags) == list(range(1, 14))
    assert set(DEVICE) & set(SERVER) == {Heartbeat}


@pytest.mark.parametrize("kind", PROTOCOL_1_FIELDS)
def test_what_protocol_1_does_not_send_has_a_default(kind: Any) -> None:
    fields = msgspec.structs.fields(kind)
    assert all(not field.required for field in fields[PROTOCOL_1_FIELDS[kind] :])
    assert kind is Heartbeat or all(field.required for field in fields[: PROTOCOL_1_FIELDS[kind]])


def test_without_a_word_nothing_is_staged() -> None:
    assert StagedSnapshot() == StagedSnapshot("", 0, 0, 0)


def test_a_proof_is_bound_to_its_purpose_its_device_and_its_nonce() -> None:
    assert proof_material("d", b"\x01\xff") == b"rollcall-link-proof-v1\nd\n01ff"
