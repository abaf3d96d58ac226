"""The kiosk's screen in a real terminal, linked to a real server: the plug is pulled, and nobody has to do anything."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.support.faults.failing import VARIABLE
from tests.support.kiosk_server import until
from tests.support.terminal import Terminal, needs_tmux
from tests.support.world import SAMPLE, Desk, World, running_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needs_tmux]

# What stands in the search field when nothing does.
EMPTY = "Type part of a name"
OKAFORS = ("Kwame Okafor", "Wren Okafor", "Ọlá Okafor")
# The third of a family whose two are in the sample, on the list of the same guardian.
THIRD = (
    "child,C-900,,,,,,,,Wren,Okafor,,2024-08-02,HEDGE,,,,,,,,,,,,,,",
    "pickup,,,,,,,,,,,,,,,,,,C-900,G-016,authorised,parent,yes,,,,,",
)


async def _names_by_id(world: World) -> dict[str, str]:
    return {child["child_id"]: child["name"] for child in (await world.desks[0].ask("roster"))["children"]}


async def _until(terminal: Terminal, words: str | re.Pattern[str]) -> str:
    return await asyncio.to_thread(terminal.until, words)


async def _check_in(terminal: Terminal, typed: str, name: str) -> None:
    terminal.press("Escape")
    terminal.type(typed)
    await _until(terminal, typed)
    terminal.press("Enter")
    await _until(terminal, f"{name} checked in")


async def test_a_morning_on_the_screen_with_the_link_cut_in_the_middle(tmp_path: Path, terminal: Terminal) -> None:
    async with running_world(tmp_path, "Desk 1") as world:
        roster = tmp_path / "with-a-third.csv"
        roster.write_text(SAMPLE.read_text(encoding="utf-8") + "\n".join(THIRD), encoding="utf-8")
        await world.command("import", str(roster))
        front = await world.enrol_desk("Front desk")
        terminal.open(80, 24, "kiosk", "run", "--data", str(front.data))
        await _until(terminal, "● ONLINE")
        terminal.type("ines d")
        await _until(terminal, "Inês d'Almeida")
        terminal.press("Enter")
        await _until(terminal, "I have read this")
        terminal.press("y")
        await _until(terminal, "Inês d'Almeida and Tomás d'Almeida checked in")
        await _until(terminal, "– confirmed")

        front.switch.cut()
        await _until(terminal, "○ OFFLINE since")
        await _check_in(terminal, "nils", "Nils Åkesson")
        await _until(terminal, "– recorded here")
        await _check_in(terminal, "thorne", "Edie Thorne")
        await _until(terminal, "2 waiting")

        other = await world.desks[0].check_in("Defne Popović")
        front.switch.restore()
        await _until(terminal, "● ONLINE")
        await _until(terminal, re.compile(r"Edie Thorne checked in \S+ – confirmed"))
        terminal.press("Escape")
        terminal.type("defne")
        await _until(terminal, re.compile(r"Defne Popović .*● In"))

        await _a_child_who_is_not_on_file(world, terminal)
        names = await _names_by_id(world)
        on_the_server = {names[event["child_id"]] for event in await _events(world)}
        assert on_the_server == {
            "Inês d'Almeida",
            "Tomás d'Almeida",
            "Nils Åkesson",
            "Edie Thorne",
            "Defne Popović",
            "Mia Berger",
        }
        assert [event["event_id"] for event in await _events(world)].count(other["event_id"]) == 1
        await world.until_equal()
        terminal.press("C-q")
        await _until(terminal, "ended with 0")
        await _pull_the_plug_in_the_middle_of_a_family(world, terminal, front)


async def _a_child_who_is_not_on_file(world: World, terminal: Terminal) -> None:
    """Taken in here under a name; the server counts it, asks who it is, and the other desk lists it."""
    terminal.press("C-u")
    await _until(terminal, EMPTY)
    terminal.type("mia berger")
    await _until(terminal, "No child fits")
    terminal.press("C-g")
    await _until(terminal, "Next field")
    terminal.press("Enter", "Tab", "Enter")
    await _until(terminal, "To which room does Mia Berger go?")
    terminal.press("Down", "Enter")
    await _until(terminal, re.compile(r"Mia Berger checked in \S+ – needs review"))
    await _until(terminal, re.compile(r"Mia Berger not on file .*● In .*! needs review"))
    where = {"center_id": world.center_id}
    present = (await world.client.get("/api/v1/attendance/presence", params=where)).raise_for_status().json()
    assert "Mia Berger" in [child["name"] for child in present["children"]]
    found = (await world.client.get("/api/v1/reviews", params=where)).raise_for_status().json()["items"]
    assert ("unknown_reference", "Mia Berger") in [(one["kind"], one["subject_name"]) for one in found]
    await world.until_equal()


async def _pull_the_plug_in_the_middle_of_a_family(world: World, terminal: Terminal, front: Desk) -> None:
    """SIGKILL before a family's COMMIT, then after it: none or all three; what was called recorded is there."""
    run = ("kiosk", "run", "--data", str(front.data))
    recorded: list[str] = []
    for moment, typed, name in (("before", "lacroix", "Léa Lacroix"), ("after", "fairfax", "Theo Fairfax")):
        point = {VARIABLE: f"kiosk.record.{moment}_commit:2"}
        terminal.open_again("tests.support.faults.failing", *run, **point)
        await _until(terminal, "● ONLINE")
        terminal.type(typed)
        await _until(terminal, name)
        terminal.press("Enter")
        await _until(terminal, f"{name} checked in")
        recorded.append(name)
        terminal.press("C-u")  # not ESC, which makes ALT of a letter that comes at once
        await _until(terminal, EMPTY)  # a letter that comes at once overtakes it
        terminal.type("okafor")
        await _until(terminal, re.compile("Okafor.*\n.*Okafor.*\n.*Okafor"))
        terminal.press("Enter")
        await _until(terminal, "3 children")
        terminal.press("Enter")
        await _until(terminal, "ended with 137")
        recorded += OKAFORS if moment == "after" else ()

        terminal.open_again(*run)
        await _until(terminal, "● ONLINE")
        terminal.type("okafor")
        screen = await _until(terminal, re.compile("Okafor.*\n.*Okafor.*\n.*Okafor"))
        assert len(re.findall("Okafor .*● In", screen)) == (3 if moment == "after" else 0), screen
        await until(partial(_has, world, tuple(recorded)))
        terminal.press("C-q")
        await _until(terminal, "ended with 0")


async def _has(world: World, recorded: tuple[str, ...]) -> bool:
    """Whether the server has each of these once, and of the family nobody else."""
    names = await _names_by_id(world)
    came = [names[event["child_id"]] for event in await _events(world)]
    ours = [name for name in came if name in (*recorded, *OKAFORS)]
    return sorted(ours) == sorted(recorded)


async def _events(world: World) -> list[dict[str, str]]:
    """Every event of today with its child."""
    children = (await world.attendance())["children"]
    return [{**event, "child_id": child["child_id"]} for child in children for event in child["events"]]


async def test_a_question_is_answered_at_the_desk_and_the_server_has_the_answer(
    tmp_path: Path, terminal: Terminal
) -> None:
    async with running_world(tmp_path, "Desk 1") as world:
        front = await world.enrol_desk("Front desk")
        terminal.open(80, 24, "kiosk", "run", "--data", str(front.data))
        await _until(terminal, "● ONLINE")
        world.desks[0].switch.cut()
        await world.desks[0].check_in("Nils Åkesson", at=_minutes_ago(40))
        terminal.type("nils")
        await _until(terminal, re.compile("nils .*\n(.*\n)*>Nils Åkesson"))
        terminal.press("Enter")
        await _until(terminal, re.compile(r"Nils Åkesson checked in \S+ – confirmed"))
        world.desks[0].switch.restore()
        await _until(terminal, "! 1 needs review")
        assert await _reviews(world, "open") == [("possible_missed_check_out", "Nils Åkesson", "")]

        terminal.press("F5")
        await _until(terminal, "Nils Åkesson  today and yesterday, 1 to settle")
        terminal.press("Home")
        await _until(terminal, re.compile(r"> ! no check-out before\?  .*came, .*came"))
        terminal.press("Enter")
        asked = await _until(terminal, "The child came twice. Did it leave in between?")
        assert re.search(r"1\. .*came, .*\(Desk 1\)\s.*\n.*2\. .*came, .*\(Front desk\)", asked), asked
        terminal.press("Down", "Down")
        await _until(terminal, re.compile(r"> The child was here all the time\."))
        terminal.press("Enter")
        await _until(terminal, "Answered – recorded here.")
        await _until(terminal, re.compile(r"answered: The child was here.* Front desk +✓ confirmed"))
        assert "to settle" not in terminal.screen()
        assert await _reviews(world, "open") == []
        assert await _reviews(world, "answered") == [("possible_missed_check_out", "Nils Åkesson", "never_left")]
        await world.until_equal()
        terminal.press("Escape")
        assert "review" not in await _until(terminal, "● ONLINE")
        terminal.press("C-q")
        await _until(terminal, "ended with 0")


def _minutes_ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds")


async def _reviews(world: World, state: str) -> list[tuple[str, str, str]]:
    """Kind, child and answer of each finding in this state, as a manager's inbox lists it."""
    where = {"center_id": world.center_id, "state": state}
    found = (await world.client.get("/api/v1/reviews", params=where)).raise_for_status().json()["items"]
    return [(one["kind"], one["subject_name"], one["answer"]) for one in found]
