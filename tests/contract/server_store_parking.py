"""The part of a server store's contract about entries that need a person."""

from typing import Any

import pytest

from sync.journal import Outcome, ParkReason
from sync.limits import ENTRY_BODY_BYTES_MAX
from tests.contract.server_world import (
    Desk,
    World,
    greet,
    new_id,
    outcomes,
    park_reason,
    push,
)


class ParkingContract:
    """Nothing is refused for what it says: it is kept, with a reason, and delays nobody."""

    async def test_an_entry_of_an_unknown_kind_is_parked(self, world: World, desk: Desk) -> None:
        answer = await push(world, desk, desk.write(new_id(), "moon_landing", b"{}"))
        assert park_reason(answer) is ParkReason.UNKNOWN_KIND

    async def test_an_entry_about_an_unknown_child_is_parked(self, world: World, desk: Desk) -> None:
        assert park_reason(await push(world, desk, desk.check_in(new_id()))) is ParkReason.UNKNOWN_REFERENCE

    async def test_a_child_of_another_centre_is_unknown(self, world: World, desk: Desk) -> None:
        stranger = await world.make_child(await world.make_center())
        assert park_reason(await push(world, desk, desk.check_in(stranger))) is ParkReason.UNKNOWN_REFERENCE

    async def test_an_event_of_another_centre_is_parked(self, world: World, desk: Desk, child: str) -> None:
        entry = desk.check_in(child, center_id=await world.make_center())
        assert park_reason(await push(world, desk, entry)) is ParkReason.WRONG_CENTER

    async def test_an_entry_that_names_another_event_than_it_holds_is_parked(
        self, world: World, desk: Desk, child: str
    ) -> None:
        entry = Desk(desk.key, desk.private_key).check_in(child)
        answer = await push(world, desk, desk.write(new_id(), "check_in", entry.body))
        assert park_reason(answer) is ParkReason.ID_MISMATCH

    @pytest.mark.parametrize("body", [b"", b"\x00", b"\xff\xfe", b"[" * 5_000, b"{", b'"\xed\xa0\x80"'], ids=range(6))
    async def test_bytes_that_are_no_json_are_parked(self, world: World, desk: Desk, body: bytes) -> None:
        answer = await push(world, desk, desk.write(new_id(), "check_in", body))
        assert park_reason(answer) is ParkReason.UNREADABLE

    @pytest.mark.parametrize(
        "change",
        [
            {"occurred_at_ms": -62_000_000_000_000},
            {"occurred_at_ms": 2**53},
            {"note": "\x00"},
            {"room_id": "1"},
            {"clock_offset_ms": -(2**62)},
            {"utc_offset_min": 2**31},
        ],
        ids=str,
    )
    async def test_an_impossible_value_is_parked(
        self, world: World, desk: Desk, child: str, change: dict[str, Any]
    ) -> None:
        assert park_reason(await push(world, desk, desk.check_in(child, **change))) is ParkReason.IMPOSSIBLE_VALUE

    async def test_half_a_surrogate_pair_is_parked(self, world: World, desk: Desk, child: str) -> None:
        entry = Desk(desk.key, desk.private_key).check_in(child, note="N")
        body = entry.body.replace(b'"N"', rb'"\ud800"')
        answer = await push(world, desk, desk.write(entry.event_id, "check_in", body))
        assert outcomes(answer) == [Outcome.PARKED]

    async def test_an_entry_that_is_too_large_is_parked(self, world: World, desk: Desk) -> None:
        entry = desk.write(new_id(), "check_in", b" " * (ENTRY_BODY_BYTES_MAX + 1))
        assert park_reason(await push(world, desk, entry)) is ParkReason.TOO_LARGE

    @pytest.mark.parametrize("poison", ["\x00", "a\x00b\\x00", "\U0001f9f8" * 64, "\\", "\u202e\x1b[2J"], ids=ascii)
    async def test_texts_that_no_database_likes_are_parked_and_come_back_as_they_were(
        self, world: World, desk: Desk, poison: str
    ) -> None:
        entry = desk.write(poison, poison, b"\x00", boot_id=poison, wall_ms=-(2**63) + 1)
        first = await push(world, desk, entry)
        assert park_reason(first) is ParkReason.UNKNOWN_KIND
        assert first.outcomes[0].event_id == poison
        assert await push(world, desk, entry) == first

    async def test_a_journal_whose_incarnation_holds_a_nul_is_kept_too(
        self, world: World, desk: Desk, child: str
    ) -> None:
        odd = Desk(desk.key, desk.private_key, "a\x00\\")
        entry = odd.check_in(child)
        first = await push(world, odd, entry)
        assert outcomes(first) == [Outcome.APPLIED]
        assert (await greet(world, odd)).stored_seq == 1
        assert await push(world, odd, entry) == first

    async def test_a_parked_entry_delays_nobody(self, world: World, desk: Desk, child: str) -> None:
        answer = await push(
            world,
            desk,
            desk.check_in(child),
            desk.write("\x00", "\x00", b"\x00"),
            desk.check_out(child, minute=30),
        )
        assert outcomes(answer) == [Outcome.APPLIED, Outcome.PARKED, Outcome.APPLIED]
        assert [outcome.version for outcome in answer.outcomes] == [1, 0, 2]

    async def test_entries_of_a_revoked_device_are_kept_and_parked(self, world: World, desk: Desk, child: str) -> None:
        await world.revoke(desk.key)
        answer = await push(world, desk, desk.check_in(child))
        assert park_reason(answer) is ParkReason.DEVICE_NOT_ENTITLED
        loaded = await greet(world, desk)
        assert (loaded.stored_seq, loaded.head.version) == (1, 0)
