"""Copied, older, damaged replicas and a restored server: all of them heal without a person, and nothing is lost.

ROLLCALL_FAULT_SEED replays the places of the flipped bits, ROLLCALL_FAULT_ROUNDS (default 3) says how many desks are
damaged. tests/integration/test_replica_damage.py flips 300 bits in one replica.
"""

import asyncio
import os
import shutil
from pathlib import Path
from random import Random

import pytest

from tests.support.faults.shared import Shared
from tests.support.faults.worlds import FaultDesk, FaultWorld, fault_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

SEED = int(os.environ.get("ROLLCALL_FAULT_SEED", "20261124"))
ROUNDS = int(os.environ.get("ROLLCALL_FAULT_ROUNDS", "3"))


async def _press_confirmed(desk: FaultDesk, children: list[str]) -> None:
    for child in children:
        line = await desk.press(child)
        assert line is not None
        assert line["event"] == "recorded", line
        await desk.confirmed(line["event_id"])


async def _clone(world: FaultWorld, desk: FaultDesk) -> FaultDesk:
    """A second machine with a copy of the desk's folder: the same keys, the same journal."""
    shutil.copytree(desk.data, world.folder / "Clone")
    return await world.open_desk("Clone")


async def test_a_copied_replica_used_after_the_other_one_forks_and_both_are_kept(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        children = await two.absent(10)
        await _press_confirmed(one, children[:2])
        await one.stop()
        clone = await _clone(world, one)
        await one.start()
        await _press_confirmed(one, children[2:5])
        await one.stop()
        await clone.start()
        await _press_confirmed(clone, children[5:8])
        await clone.stop()
        await one.start()
        await _press_confirmed(one, children[8:])
        await clone.start()
        await world.check_nothing_lost_or_doubled()
        await world.until_incident("journal_forked")


async def test_two_desks_with_one_identity_at_once_both_have_everything_kept(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        children = await two.absent(12)
        await one.stop()
        clone = await _clone(world, one)
        await asyncio.gather(one.start(), clone.start())
        for first, second in zip(children[:6], children[6:], strict=True):
            await asyncio.gather(one.press(first), clone.press(second))
        await world.check_nothing_lost_or_doubled()
        await world.until_incident("journal_forked")


async def test_an_older_copy_of_a_replica_put_back_keeps_what_was_recorded_before_and_after(
    shared: Shared, tmp_path: Path
) -> None:
    world, one, two = shared
    children = await two.absent(6)
    await _press_confirmed(one, children[:2])
    await one.stop()
    shutil.copytree(one.data, tmp_path / "backup")
    await one.start()
    await _press_confirmed(one, children[2:4])
    await one.stop()
    shutil.rmtree(one.data)
    shutil.copytree(tmp_path / "backup", one.data)
    await one.start()
    await _press_confirmed(one, children[4:])
    await world.check_nothing_lost_or_doubled()
    await world.until_incident("journal_forked")


async def test_a_damaged_replica_is_set_aside_and_the_desk_heals_by_itself(shared: Shared) -> None:
    luck = Random(SEED)
    print(f"ROLLCALL_FAULT_SEED={SEED} ROLLCALL_FAULT_ROUNDS={ROUNDS}")
    world, one, _two = shared
    for round_ in range(ROUNDS):
        (child,) = await one.absent(1)
        await _press_confirmed(one, [child])
        if round_ % 2 == 0:
            await one.stop()
            _flip_a_bit(one.data / "replica.db", luck)
        else:  # a damaged log ends before the damage, and the desk is one that was put back
            await one.kill()
            _flip_a_bit(one.data / "replica.db-wal", luck)
        await one.start()
        await world.check_nothing_lost_or_doubled()
        print(f"round {round_}: {await world.incidents()}")
    await world.until_incident("replica_quarantined", (ROUNDS + 1) // 2)


async def test_a_server_restored_from_a_backup_gets_everything_back_from_its_desks(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, two):
        children = await one.absent(9)
        await _press_confirmed(one, children[:2])
        await world.command("backup", str(tmp_path / "backup.rollcall"))
        await _press_confirmed(one, children[2:4])
        await _press_confirmed(two, children[4:6])
        await world.until_equal()
        await two.stop()  # this desk never comes back: what it recorded is known to the other one alone
        shutil.rmtree(two.data)
        world.desks.remove(two)
        one.link.cut()
        await world.stop_server()
        shutil.rmtree(tmp_path / "server")
        await world.command("restore", str(tmp_path / "backup.rollcall"))
        for child in children[6:]:
            await one.press(child)
        await world.start_server()
        one.link.reopen()
        await one.kill()  # its patience after so many vain tries is up to a minute
        await one.start()
        await world.sign_in()
        await world.until_incident("reconciled")
        await world.check_nothing_lost_or_doubled()


def _flip_a_bit(file: Path, luck: Random) -> None:
    content = bytearray(file.read_bytes())
    place = luck.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    file.write_bytes(content)
    print(f"bit {place} of {file.name} is flipped")
