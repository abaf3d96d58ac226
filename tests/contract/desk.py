"""What every desk does, whatever is behind it: the suite that the real desk and the one in memory both pass.

A test module inherits `DeskContract` and gives a fixture `world` whose desk knows exactly three children,
none of them here yet: Ana Silva, Inês Gonçalves and João Nunes. Of Ana's adults one may collect, one may on
other days only, and one may not.
"""

import asyncio
from typing import Protocol

import pytest

from kiosk.messages import EntrySettled, Mark, Presence, Resync
from kiosk.screens.port import DeskPort
from kiosk.services.desk import RosterLine
from kiosk.services.errors import DeskError
from kiosk.services.roster import search

DEADLINE_S = 60
BLOCKED = pytest.mark.parametrize("status", ["not_authorised", "not_today"])


class DeskWorld(Protocol):
    """A desk and the hand that plays its server."""

    desk: DeskPort

    async def settle(self, event_id: str) -> None:
        """Let the server store this entry and answer it."""
        ...

    async def lock(self) -> None:
        """Let the desk be without its server for longer than it may."""
        ...

    async def unlock(self) -> None:
        """Let the server be heard again."""
        ...


async def line_of(desk: DeskPort, name: str) -> RosterLine:
    return next(line for line in await desk.roster() if line.display_name == name)


class DeskContract:
    async def test_before_anything_is_recorded_nobody_is_here(self, world: DeskWorld) -> None:
        roster = await world.desk.roster()
        assert sorted(line.display_name for line in roster) == ["Ana Silva", "Inês Gonçalves", "João Nunes"]
        assert {(line.status, line.mark) for line in roster} == {(Presence.NOT_ARRIVED, Mark.NONE)}

    async def test_a_check_in_changes_the_roster_at_once(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        recorded = await world.desk.check_in(ana.child_id)
        after = await line_of(world.desk, "Ana Silva")
        assert (after.status, after.mark, after.last_event_id) == (
            Presence.IN, Mark.RECORDED, recorded.event_id,
        )  # fmt: skip
        assert after.since_ms == recorded.occurred_at_ms
        assert (await world.desk.status()).waiting == 1

    async def test_who_is_in_cannot_be_checked_in_again(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_in(ana.child_id)
        assert refusal.value.code == "already_in"
        assert (await world.desk.status()).waiting == 1

    async def test_who_is_not_in_cannot_be_checked_out(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_name="Maria Silva")
        assert refusal.value.code == "already_out"

    async def test_an_unknown_child_is_refused(self, world: DeskWorld) -> None:
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_in("00000000-0000-7000-8000-000000000000")
        assert refusal.value.code == "unknown_child"

    @pytest.mark.parametrize("typed", ["ines", "INÊS", "goncalves ines", " gonç "])
    async def test_search_cares_for_neither_accents_nor_case_nor_order(self, world: DeskWorld, typed: str) -> None:
        assert [line.display_name for line in search(await world.desk.roster(), typed)] == ["Inês Gonçalves"]

    async def test_search_finds_the_middle_of_a_name_after_its_beginning(self, world: DeskWorld) -> None:
        assert [line.display_name for line in search(await world.desk.roster(), "alves")] == ["Inês Gonçalves"]
        first, *others = [line.display_name for line in search(await world.desk.roster(), "n")]
        assert (first, sorted(others)) == ("João Nunes", ["Ana Silva", "Inês Gonçalves"])

    async def test_an_empty_search_finds_everybody(self, world: DeskWorld) -> None:
        assert list(search(await world.desk.roster(), "  ")) == list(await world.desk.roster())

    async def test_search_for_nobody_finds_nobody(self, world: DeskWorld) -> None:
        assert list(search(await world.desk.roster(), "zzz")) == []

    async def test_a_settled_entry_is_marked_confirmed_and_told(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        messages = world.desk.subscribe()
        recorded = await world.desk.check_in(ana.child_id)
        await world.settle(recorded.event_id)
        async with asyncio.timeout(DEADLINE_S):
            settled = await anext(message async for message in messages if isinstance(message, EntrySettled))
        assert (settled.event_id, settled.mark) == (recorded.event_id, Mark.CONFIRMED)
        assert (await line_of(world.desk, "Ana Silva")).mark is Mark.CONFIRMED
        assert (await world.desk.status()).waiting == 0

    async def test_collectors_name_who_may_and_who_may_not(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        statuses = sorted(each.status for each in await world.desk.collectors(ana.child_id))
        assert statuses == ["authorised", "not_authorised", "not_today"]

    @BLOCKED
    async def test_a_blocked_name_is_refused_however_it_is_typed(self, world: DeskWorld, status: str) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        blocked = next(each for each in await world.desk.collectors(ana.child_id) if each.status == status)
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_name=blocked.name.upper())
        assert refusal.value.code == "not_authorised"

    async def test_an_adult_of_no_list_is_not_taken_by_id(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_id="00000000-0000-7000-8000-000000000000")
        assert refusal.value.code == "unknown_adult"

    async def test_who_left_can_come_again_but_not_leave_twice(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        await world.desk.check_out(ana.child_id, adult_name="Eva Luz")
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_name="Eva Luz")
        assert refusal.value.code == "already_out"
        again = await world.desk.check_in(ana.child_id)
        after = await line_of(world.desk, "Ana Silva")
        assert (after.status, after.last_event_id) == (Presence.IN, again.event_id)

    async def test_who_is_on_no_list_is_given_by_name(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        recorded = await world.desk.check_out(ana.child_id, adult_name="Eva Luz")
        after = await line_of(world.desk, "Ana Silva")
        assert (after.status, after.last_event_id) == (Presence.OUT, recorded.event_id)

    @BLOCKED
    async def test_nobody_leaves_with_who_may_not_collect(self, world: DeskWorld, status: str) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.desk.check_in(ana.child_id)
        blocked = next(each for each in await world.desk.collectors(ana.child_id) if each.status == status)
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_id=blocked.adult_id)
        assert refusal.value.code == "not_authorised"
        assert (await line_of(world.desk, "Ana Silva")).status is Presence.IN

    async def test_a_locked_desk_shows_nobody_and_records_by_id_all_the_same(self, world: DeskWorld) -> None:
        ana = await line_of(world.desk, "Ana Silva")
        await world.lock()
        status = await world.desk.status()
        assert (status.locked, status.lease_left_ms) == (True, 0)
        for question in (world.desk.roster(), world.desk.collectors(ana.child_id)):
            with pytest.raises(DeskError) as refusal:
                await question
            assert refusal.value.code == "locked"
        recorded = await world.desk.check_in(ana.child_id)
        assert recorded.child_name == ""
        with pytest.raises(DeskError) as refusal:
            await world.desk.check_out(ana.child_id, adult_name="joao pinto")
        assert refusal.value.code == "not_authorised"

    async def test_a_word_from_the_server_unlocks_the_desk(self, world: DeskWorld) -> None:
        await world.lock()
        messages = world.desk.subscribe()
        await world.unlock()
        async with asyncio.timeout(DEADLINE_S):
            await anext(message async for message in messages if isinstance(message, Resync))
        assert not (await world.desk.status()).locked
        assert len(await world.desk.roster()) == 3
