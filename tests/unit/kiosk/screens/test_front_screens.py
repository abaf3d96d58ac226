"""The front desk's questions: the lock, families, refusals, undo, and a scanner among the keys."""

from textual import events
from textual.widgets import Input, OptionList

from kiosk.messages import Presence
from kiosk.screens.alerts import AlertsScreen
from kiosk.screens.asking import AskScreen, Field
from kiosk.screens.collect import CollectScreen
from kiosk.screens.family import FamilyScreen
from kiosk.screens.help import HelpScreen
from kiosk.screens.identity import IdentityScreen
from kiosk.screens.override import Overridden, OverrideScreen
from kiosk.screens.refuse import RefuseScreen
from kiosk.screens.roster import RosterScreen
from kiosk.screens.unlock import UnlockScreen
from kiosk.services.release import Refusal
from tests.unit.kiosk.screens.conftest import Kiosk, OpenKiosk, scan

PINS = {"Ruth Appiah": "483920", "Sam Baker": "720391"}


def shown(kiosk: Kiosk) -> str:
    """Everything that can be read now."""
    lines = kiosk.app.screen._compositor.render_strips()
    return " ".join(" ".join(strip.text for strip in lines).split())


async def test_a_desk_with_pins_hides_its_names_until_somebody_unlocks_it_and_when_nobody_uses_it(
    open_kiosk: OpenKiosk,
) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.press(*"ines", "enter")
        await kiosk.until_result("checked in")
        kiosk.desk.door.pins = dict(PINS)
        kiosk.app.guard_door()
        await kiosk.until_screen(UnlockScreen)
        assert "Gonçalves" not in shown(kiosk)
        await kiosk.press("f4", "escape", "question_mark", "enter", *"720391", "enter")  # Sam's, and Ruth is chosen
        await kiosk.until(lambda: "9 more tries" in kiosk.text("pin-note"), "the refusal")
        assert isinstance(kiosk.app.screen, UnlockScreen)
        await kiosk.press(*"483920", "enter")
        await kiosk.until_screen(RosterScreen)
        await kiosk.until(lambda: "Ruth Appiah" in kiosk.text("center-name"), "who is here")
        await kiosk.press("escape", *"eva", "enter")
        await kiosk.until_result("Eva Freitas checked in")

        await kiosk.press(*"ana", "enter")  # a question is open when the time is over
        kiosk.clock.advance_ms(120_000)
        kiosk.app.guard_door()
        await kiosk.until_screen(UnlockScreen)
        assert "Silva" not in shown(kiosk)
        for width, height in ((20, 5), (1, 1), (80, 24)):
            await kiosk.pilot.resize_terminal(width, height)
        await kiosk.press(*"483920", "enter")  # who was here last is chosen already
        await kiosk.until_screen(RosterScreen)
        await kiosk.press("f10")
        await kiosk.until(lambda: not kiosk.desk.door.by, "the lock")
        kiosk.app.guard_door()
        await kiosk.until_screen(UnlockScreen)


async def test_a_family_is_one_confirmation_and_one_key_takes_it_back(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        kiosk.desk.counter.families = {"ines": ("ines", "zoe", "ana"), "ana": ("ana", "ines")}
        await kiosk.press(*"ines", "enter")
        await kiosk.until_screen(FamilyScreen)
        await kiosk.press("enter", "enter")  # Ana's alert must be read, and ENTER reads for nobody
        assert isinstance(kiosk.app.screen, FamilyScreen)
        assert "Ana: Court order" in shown(kiosk)
        await kiosk.press("down", "down", "space")  # Ana stays at home
        assert "Court order" not in shown(kiosk)
        await kiosk.press("up", "up", "space", "down", "space", "enter")
        assert "Nobody is chosen" in kiosk.text("dialog-note")
        await kiosk.press("space", "up", "space", "enter")
        await kiosk.until_result("Inês Gonçalves and Zoë Brandão checked in 07:58 – recorded here\nF4 undo 60 s")
        first, second = kiosk.desk.waiting_ids()
        await kiosk.desk.settle(first)
        await kiosk.until_result("recorded here")
        await kiosk.desk.settle(second)
        await kiosk.until_result("confirmed")
        kiosk.clock.advance_ms(20_000)
        await kiosk.press("f4")
        await kiosk.until_result("Taken back: Inês Gonçalves, Zoë Brandão.")
        assert {line.status for line in kiosk.table.lines if line.child_id in {"ines", "zoe"}} == {Presence.NOT_ARRIVED}
        await kiosk.press("f4")
        await kiosk.until_result("! There is nothing to take back")

        await kiosk.press("escape", *"ana", "enter")
        await kiosk.until_screen(FamilyScreen)
        await kiosk.press("escape")
        await kiosk.until_result("nothing was recorded for Ana Silva")


async def test_a_refused_release_says_to_whom_and_why(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.desk.check_in("zoe")
        kiosk.desk.counter.list_is_old = True
        await kiosk.press(*"zoe", "enter")
        await kiosk.until_screen(CollectScreen)
        assert kiosk.text("list-note") == "! List from 07:58, phone to check."
        await kiosk.press("f8")
        await kiosk.until_screen(RefuseScreen)
        await kiosk.press("enter", *"Joe", "enter", "enter")
        assert "Begin with a number" in kiosk.text("dialog-note")
        await kiosk.press("5", "enter")
        assert "say which reason" in kiosk.text("dialog-note")
        await kiosk.press("space", *"drunk", "enter")
        await kiosk.until_result("Zoë Brandão not released")
        (refusal,) = kiosk.desk.counter.refused
        assert (refusal.adult_name, refusal.reason_code, refusal.reason) == ("Joe", "other", "drunk")
        assert kiosk.desk.counter.released == []


async def test_a_near_match_needs_a_second_person_where_there_are_pins(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        await kiosk.desk.check_in("ana")
        kiosk.desk.door.pins = dict(PINS)
        kiosk.desk.door.by = "Ruth Appiah"
        kiosk.desk.door.touch()
        await kiosk.press(*"ana", "enter")
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("y")
        await kiosk.until_screen(CollectScreen)
        await kiosk.press("tab", "j", "space", *"pinto", "enter", "enter")
        await kiosk.until_screen(OverrideScreen)
        assert [str(one.prompt) for one in kiosk.app.screen.query_one("#staff", OptionList).options] == ["  Sam Baker"]
        await kiosk.press("tab", *"720391", "enter")
        await kiosk.until(lambda: "The reason first" in kiosk.text("dialog-note"), "the reason is asked for")
        await kiosk.press(*"cousin", "space", *"of", "space", *"hers", "enter", *"720391", "enter")
        await kiosk.until_screen(IdentityScreen)
        await kiosk.press("4")
        await kiosk.until_result("Ana Silva checked out")
        (release,) = kiosk.desk.counter.released
        assert release.approval is not None
        assert (release.approval.staff_id, release.reason, release.identity_check) == (
            "Sam Baker", "cousin of hers", "call_back",
        )  # fmt: skip


async def test_a_scan_works_wherever_the_focus_is_and_leaves_nothing_behind(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk() as kiosk:
        counter = kiosk.desk.counter
        counter.families = {"adult-9": ("ines", "zoe"), "adult-1": ("ana",), "both": ("martim", "zoe")}
        counter.codes = {"FAMILY01": "adult-9", "FAMILY02": "adult-1", "FAMILY03": "both", "ZOE7": "zoe"}
        await kiosk.press(*"ab")
        await scan(kiosk, "4012345678901", at_s=1)
        await kiosk.until_result("! This code is not known here")
        await kiosk.until(lambda: kiosk.search.value == "ab", "the field")  # as it was before the scanner typed into it
        await scan(kiosk, "HALF0", at_s=5, enter=False)
        await scan(kiosk, "FAMILY01", at_s=9)
        await kiosk.until_screen(FamilyScreen)
        await scan(kiosk, "FAMILY02", at_s=10)  # the next family has its turn when this one is in
        await kiosk.until(lambda: "it comes next" in kiosk.text("dialog-note"), "the word that it waits")
        assert isinstance(kiosk.app.screen, FamilyScreen)
        await kiosk.press("enter")
        await kiosk.until_result("Inês Gonçalves and Zoë Brandão checked in")
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("escape")

        await scan(kiosk, "ZOE7", at_s=13)  # her own card: it says nothing of who collects
        await kiosk.until_screen(CollectScreen)
        await scan(kiosk, "ZOE7", at_s=17)
        await kiosk.until(lambda: "child's card" in kiosk.text("dialog-note"), "the warning")
        await kiosk.press("escape")
        await kiosk.until_result("nothing was recorded for Zoë Brandão")

        await kiosk.press("question_mark")
        await kiosk.until_screen(HelpScreen)
        await scan(kiosk, "FAMILY03", at_s=20)  # nobody reads the help who scans a card
        await kiosk.until_screen(FamilyScreen)  # two of them, and neither is here
        await kiosk.press("escape")
        await kiosk.desk.check_in("ana")
        await scan(kiosk, "FAMILY02", at_s=30)
        await kiosk.until_screen(AlertsScreen)
        await kiosk.press("y")  # the adult of the code is not asked for
        await kiosk.until(lambda: bool(counter.released), "the release")
        assert (counter.released[0].adult_id, counter.released[0].identity_check) == ("adult-1", "code_match")

        kiosk.app.post_message(events.Paste("RC1" + "A1" * 5_000))
        await scan(kiosk, "9" * 10_000, at_s=100)
        await scan(kiosk, "FAMILY03", at_s=300)
        await kiosk.until_screen(FamilyScreen)  # the desk is ready again
        assert len(kiosk.search.value) <= 80


async def test_scans_that_come_while_the_desk_is_busy_are_taken_in_order_and_none_twice(open_kiosk: OpenKiosk) -> None:
    async with open_kiosk(children=20) as kiosk:
        counter, lines = kiosk.desk.counter, await kiosk.desk.roster()
        counter.codes = {f"CARD-{number}": line.child_id for number, line in enumerate(lines)}
        counter.gate.clear()
        for number in range(6):
            await scan(kiosk, f"CARD-{number}", at_s=number + 1)
        await kiosk.until_result("Too many scans at once")  # one is written down, four wait, and the sixth is told
        counter.gate.set()
        await kiosk.until_result(f"{lines[4].display_name} checked in")
        assert [one.child_name for one in counter.recorded] == [line.display_name for line in lines[:5]]

        counter.families = {lines[6].child_id: (lines[7].child_id,)}
        await scan(kiosk, "CARD-6", at_s=10)
        await kiosk.until_screen(FamilyScreen)
        await scan(kiosk, "CARD-7", at_s=14)  # the sister's own card says the same once more
        await scan(kiosk, "CARD-8", at_s=18)
        await kiosk.press("enter")
        await kiosk.until_result(f"{lines[8].display_name} checked in")
        came = [one.child_name for one in counter.recorded[5:]]
        assert came == [lines[number].display_name for number in (6, 7, 8)]

        await scan(kiosk, "CARD-6", at_s=20)  # now she leaves; whoever scans waits for half a minute, and no longer
        await kiosk.until_screen(FamilyScreen)
        await scan(kiosk, "CARD-9", at_s=22)
        kiosk.clock.advance_ms(30_001)
        await kiosk.press("escape")
        await kiosk.until_result("A card was scanned while something else was asked; scan it again.")

        await scan(kiosk, "CARD-6", at_s=30)
        await kiosk.until_screen(FamilyScreen)
        await scan(kiosk, "CARD-10", at_s=32)
        kiosk.desk.door.pins = dict(PINS)
        kiosk.app.guard_door()
        await kiosk.until_screen(UnlockScreen)
        await scan(kiosk, "CARD-11", at_s=36)
        await kiosk.until(lambda: "Unlock the desk first" in kiosk.text("pin-note"), "what to do")
        await kiosk.press("enter", *"483920", "enter")
        await kiosk.until_screen(RosterScreen)
        await kiosk.press("escape", *"zzz", "enter")  # what waited is forgotten with whoever was here
        assert len(counter.recorded) == 8


async def test_keys_pressed_faster_than_a_field_takes_them_are_in_the_field_that_was_meant(
    open_kiosk: OpenKiosk,
) -> None:
    def press_at_once(kiosk: Kiosk, *keys: str) -> None:
        for number, key in enumerate(keys):
            event = events.Key(key, {"enter": "\r", "tab": "\t"}.get(key, key))
            event.time = number / 10  # a person's pace; the desk was slow and takes them up together
            kiosk.app.post_message(event)

    async with open_kiosk() as kiosk:
        asked: list[tuple[str, ...] | None] = []
        fields = [Field(label, "", 9, value) for label, value in (("Name", "Mi"), ("Who", ""), ("Note", ""))]
        kiosk.app.push_screen(AskScreen("Who?", fields, ""), asked.append)
        await kiosk.until_screen(AskScreen)
        press_at_once(kiosk, "a", "enter", *"bo", "tab", *"c1", "enter", "enter")
        await kiosk.until(lambda: bool(asked), "the answer")
        assert asked == [("Mia", "bo", "c1")]

        await kiosk.desk.check_in("ana")
        kiosk.desk.door.pins = dict(PINS)
        kiosk.desk.door.by = "Ruth Appiah"
        kiosk.desk.door.touch()
        overridden: list[Overridden | None] = []
        kiosk.app.push_screen(OverrideScreen(kiosk.desk.door, "Close to somebody."), overridden.append)
        await kiosk.until(lambda: kiosk.app.screen.focused is not None, "the reason has the keys")
        await kiosk.until(lambda: getattr(kiosk.app.screen.focused, "id", "") == "reason", "the reason")
        press_at_once(kiosk, *"cousin of hers", "enter", *"720391")
        await kiosk.until(lambda: kiosk.app.screen.query_one("#pin", Input).value == "720391", "the PIN")
        await kiosk.press("enter")
        await kiosk.until(lambda: bool(overridden), "the approval")
        assert [each.reason for each in overridden if each and each.approval] == ["cousin of hers"]

        refused: list[Refusal | None] = []
        kiosk.app.push_screen(RefuseScreen("Ana Silva"), refused.append)
        await kiosk.until_screen(RefuseScreen)
        press_at_once(kiosk, *"Joe", "enter", *"5 drunk", "enter")
        await kiosk.until(lambda: bool(refused), "the refusal")
        assert refused == [Refusal(adult_name="Joe", reason_code="other", reason="drunk")]
