"""Two desks with real files, a real socket and one server: a roll-call, staff and a correction reach the other one."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from kiosk.messages import Mark, Presence
from kiosk.services.corrections import Change
from kiosk.services.desk import Desk
from kiosk.services.enrolment import Request, enrol
from kiosk.services.rollcalls import RollState
from sync.attendance import EventKind, decode_event
from sync.records import Entity, RoomRecord, StaffRecord
from sync.rollcall import RollMark
from tests.support.kiosk_server import ADA, BEN, CODE, FakeServer, until

SECOND_CODE = "WXYZ-6789"
ATTIC = "018f0000-0000-7000-8000-000000000002"
SOFIA = "018f0000-0000-7000-8000-0000000000b1"


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Desk]:
    def luck(count: int) -> bytes:
        return b"\x01\x00\x00\x00" if count == 4 else secrets.token_bytes(count)

    desk = await Desk.open(folder, luck=luck)
    link = asyncio.create_task(desk.run_link())
    try:
        yield desk
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()


async def states(desk: Desk) -> dict[str, RollState]:
    return {line.person.name: line.state for line in (await desk.building.rollcalls.view()).lines}


async def is_quiet(*desks: Desk) -> bool:
    return all([(await desk.status()).waiting == 0 and desk.is_current for desk in desks])


async def test_marks_of_two_desks_that_were_cut_off_and_closed_meet_when_the_server_is_back(tmp_path: Path) -> None:
    server = FakeServer()
    server.fill()
    server.put(Entity.ROOM, ATTIC, RoomRecord(name="Attic", sort=1))
    server.put(Entity.STAFF, SOFIA, StaffRecord(given_name="Sofia", family_name="Reis", role="educator"))
    server.codes[SECOND_CODE] = ""
    async with server.running():
        for name, code in (("front", CODE), ("back", SECOND_CODE)):
            await enrol(Request(server=server.url, code=code, data_dir=tmp_path / name, name=name), lambda _: None)
        async with opened(tmp_path / "front") as front:
            await front.check_in(ADA)
            came = await front.check_in(BEN)
            await front.building.visits.staff_in(SOFIA, ATTIC)
            await front.building.moves.move([ADA], ATTIC)
            await front.building.rollcalls.mark(ADA, RollMark.PRESENT)
            async with opened(tmp_path / "back") as back:
                expected = {"Ben Brook": RollState.TO_DO, "Ada Abel": RollState.SAFE, "Sofia Reis": RollState.TO_DO}

                async def back_knows() -> bool:
                    return await states(back) == expected

                await until(back_knows)
                (rollcall_id,) = (await back.building.rollcalls.view()).open_ids
                await until(lambda: is_quiet(front, back))
                await server.stop()  # from here on they cannot hear each other
                await back.building.rollcalls.mark(BEN, RollMark.MISSING)
                await front.building.rollcalls.mark(BEN, RollMark.PRESENT)
                await front.building.corrections.correct(BEN, came.event_id, Change("wrong child", room_id=ATTIC))
                await front.building.rollcalls.mark(SOFIA, RollMark.PRESENT)
        # Both programs ended before anything could be sent; what was marked is in their files.
        async with opened(tmp_path / "front") as front, opened(tmp_path / "back") as back:
            assert (await states(front))["Ben Brook"] is RollState.SAFE
            assert (await states(back))["Ben Brook"] is RollState.MISSING
            assert (await front.building.rollcalls.view()).open_ids == (rollcall_id,)
            await server.start()
            merged = {"Ben Brook": RollState.MISSING, "Ada Abel": RollState.SAFE, "Sofia Reis": RollState.SAFE}

            async def is_merged() -> bool:
                return await states(front) == merged == await states(back)

            await until(is_merged)
            (ben,) = [line for line in (await front.building.rollcalls.view()).lines if line.person.subject_id == BEN]
            assert ben.is_disagreed
            assert ben.person.room_name == "Attic"
            await until(lambda: is_quiet(front, back))
            (line,) = [one for one in await back.roster() if one.child_id == BEN]
            assert (line.status, line.room_name, line.mark) == (Presence.IN, "Attic", Mark.CONFIRMED)
            await back.building.rollcalls.end()

            async def front_has_ended() -> bool:
                return not (await front.building.rollcalls.view()).goes_on

            await until(front_has_ended)
            await until(lambda: is_quiet(front, back))
    kinds = [decode_event(bytes(record.event)).kind for record in server.events()]
    assert kinds.count(EventKind.ROLLCALL_START) == 1
    assert kinds.count(EventKind.ROLLCALL_MARK) == 4
    assert kinds.count(EventKind.ROLLCALL_END) == 1
    sheets = sorted(path.name for path in (tmp_path / "back" / "rollcalls").iterdir())
    assert [name.rsplit("-", 1)[1] for name in sheets] == ["end.sheet"]
