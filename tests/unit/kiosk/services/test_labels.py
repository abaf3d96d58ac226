"""Labels: what stands on them, that it fits and begins no command, and that each print is counted before it happens."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from kiosk.messages import PrinterTrouble
from kiosk.services import label_pdf
from kiosk.services.desk_file import DeskFile, LabelFormat, LabelSettings, LabelWhen, read_desk_file
from kiosk.services.errors import DeskError
from kiosk.services.label_desk import FAILED, FULL, JOBS_MAX, NO_PRINTER, SIMPLIFIED
from kiosk.services.label_pdf import as_pdf, in_sight
from kiosk.services.labels import MORE, Label, Size, as_text, as_zpl, clean, layout, name_tag, pickup_slip, zpl_width
from kiosk.services.subscription import Subscription
from sync.attendance import AttendanceEvent, EventKind
from sync.pickup_code import pickup_code
from sync.records import AlertRecord, ChildRecord, Entity
from tests.support.building_desk import ANA, BEATRIZ, BEES, INES, MINUTE_MS, UnlinkedDesk, event_at
from tests.support.kiosk_clock import StandingClock

SIZE = Size(62, 38)
LONG = "Maximiliana-Wilhelmina Annegret von und zu Hohenlohe-Waldenburg-Schillingsfürst de Albuquerque e Castro"


def test_a_name_tag_holds_name_room_day_code_and_allergies_and_a_slip_no_family_name() -> None:
    tag = name_tag("Ana Silva", "K7RT", "Bees", "21 September 2026", ["Peanuts: EpiPen", "Eggs"])
    text = as_text([tag, pickup_slip([("Ana", "K7RT"), ("Inês", "C3FK")], "21 September 2026")])
    assert text.split("\f")[0].splitlines() == [
        "Ana Silva",
        "Bees 21 September 2026",
        "Code K7RT",
        "ALLERGIES: Peanuts: EpiPen; Eggs",
    ]
    assert "K7RT C3FK" in text.split("\f")[1]
    assert "Silva" not in text.split("\f")[1]
    assert clean("Ana\u202e  Silva\n") == "Ana Silva"
    assert name_tag("Ana", "", "", "today", []).lines == ("today",)


@pytest.mark.parametrize("size", [SIZE, Size(20, 20), Size(210, 148)])
@pytest.mark.parametrize("name", ["Bo", LONG, "W" * 200, "דוד בן־גוריון", "山田太郎" * 20, ""])
def test_every_name_fits_on_every_label(name: str, size: Size) -> None:
    placed = layout(name_tag(name, "K7RT", "Bees", "21 September 2026", ["Peanuts " * 24]), size, zpl_width)
    assert all(zpl_width(one.text, one.size_mm) <= size.width_mm - 4 for one in placed)
    assert placed[-1].top_mm + placed[-1].size_mm <= size.height_mm - 1
    if name == "Bo" and size == SIZE:
        assert placed[0].size_mm == 9.0
        assert "Peanuts" in placed[-1].text
    if name == LONG and size == SIZE:
        assert placed[-1].text == MORE  # what is cut says where the rest is


def test_no_name_begins_a_command_of_the_printer() -> None:
    text = as_zpl([Label("^XZ~JA_5E\\&", ("Zoë Żółć דוד",))], SIZE, 8)
    assert "^FD_5EXZ_7EJA_5F5E_5C&^FS" in text
    assert text.count("^XZ") == text.count("^XA") == 1
    assert "~" not in text
    assert "^CI28" in text
    assert "^FDZoë Żółć דוד^FS" in text
    assert "^PW1488\n^LL912" in as_zpl([Label("a", ())], SIZE, 24)


def test_a_pdf_has_every_letter_or_says_that_it_has_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tags = [name_tag(name, "K7RT", "Bees", "today", []) for name in ("Zoë Brandão", "Łucja Żółć", "كريم", LONG)]
    monkeypatch.setattr(label_pdf, "USUAL_FONTS", ())
    plain = as_pdf(tags[:1], SIZE)
    assert (plain.content[:5], plain.is_simplified) == (b"%PDF-", False)
    assert as_pdf(tags[1:2], SIZE, str(tmp_path / "no such font")).is_simplified
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font at all")
    assert as_pdf(tags, SIZE, str(broken)).is_simplified
    knows = label_pdf._is_western
    assert label_pdf.settable("Łucja Żółć – דו", knows) == "Lucja Zólc - ??"
    assert label_pdf.is_joined("ك")
    assert not label_pdf.is_joined("ó")
    assert in_sight("דוד") == "דוד"[::-1]
    assert in_sight("Ana") == "Ana"


@pytest.mark.skipif(
    not any(Path(path).is_file() for path in label_pdf.USUAL_FONTS), reason="no usual font is installed"
)
def test_a_font_of_the_system_is_taken_where_there_is_one() -> None:
    assert not as_pdf([name_tag("Łucja Żółć Ωμέγα Борис", "K7RT", "Bees", "today", [])], SIZE).is_simplified


@pytest.mark.parametrize(
    "text",
    [
        "[labels]\nprint_comand = []",
        "[labels]\nprint_command = 'lp -d labels'",
        '[labels]\nprint_command = ["a\\u0000b"]',
        "[labels]\nsize_mm = [5, 20]",
        "[labels]\ntime_limit_s = 0",
        "[labels]\nformat = 'escpos'",
        "[screen]\nphotos = 'sixel'",
        "[labels",
        "x" * 70_000,
    ],
)
def test_a_desk_file_with_a_slip_is_refused_with_the_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    assert read_desk_file(path) == DeskFile()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeskError) as refusal:
        read_desk_file(path)
    assert refusal.value.code == "bad_settings"
    path.write_text("[labels]\nprint_command = ['lp', '-']\nformat = 'zpl'\nwhen = 'asked'\n", encoding="utf-8")
    expected = LabelSettings(print_command=("lp", "-"), format=LabelFormat.ZPL, when=LabelWhen.ASKED)
    assert read_desk_file(path).labels == expected


def printing_to(path: Path, format_: LabelFormat = LabelFormat.TEXT, *, then: str = "") -> LabelSettings:
    """A print command that adds what it gets to a file."""
    program = f"import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read()); {then}"
    command = (sys.executable, "-c", program, str(path), "; touch shell")
    return LabelSettings(print_command=command, format=format_, allergies=True, time_limit_s=20)


def troubles(heard: Subscription) -> list[PrinterTrouble]:
    return [one for one in heard._messages if isinstance(one, PrinterTrouble)]


def reprints_of(desk: UnlinkedDesk, child_id: str) -> list[AttendanceEvent]:
    facts = desk._following.knowledge.facts(child_id).values()
    return [fact.event for fact in facts if fact.event.kind is EventKind.LABEL_REPRINTED]


async def test_a_label_for_a_child_that_came_at_another_desk_is_told_though_it_is_the_first_here(
    desk: UnlinkedDesk, clock: StandingClock, tmp_path: Path
) -> None:
    labels = desk.building.labels
    labels.settings = printing_to(tmp_path / "paper")
    await desk.hear_of(event_at(EventKind.CHECK_IN, clock.wall_ms(), 1, child_id=ANA, room_id=BEES))
    printing = asyncio.create_task(labels.run())
    assert (await labels.again(ANA)).endswith("Label to the printer.")
    await labels.printed()
    assert len(reprints_of(desk, ANA)) == 1
    printing.cancel()


async def test_an_arrival_prints_tag_and_slip_and_every_print_is_counted_for_good(
    desk: UnlinkedDesk, clock: StandingClock, tmp_path: Path
) -> None:
    labels, paper = desk.building.labels, tmp_path / "paper"
    nuts = (AlertRecord(kind="allergy", severity="critical", text="Peanuts"),)
    ana = ChildRecord(given_name="Ana", family_name="Silva", home_room_id=BEES, alerts=nuts)
    desk.center.put(Entity.CHILD, ANA, ana)
    await desk.follow()
    await desk.counter.arrive([INES])
    assert (await labels.again(INES)).endswith(NO_PRINTER)  # no printer is no error, and the code is said all the same
    assert (await labels.prints(INES)).times == 0

    labels.settings = printing_to(paper)
    printing = asyncio.create_task(labels.run())
    (recorded,) = await desk.counter.arrive([ANA])
    await labels.printed()
    code = pickup_code(recorded.event_id)
    text = paper.read_text(encoding="utf-8")
    assert text.count(f"Code {code}") == 1
    assert "ALLERGIES: Peanuts" in text
    assert "Pick-up 21 September 2026" in text
    assert not (tmp_path / "shell").exists()
    assert reprints_of(desk, ANA) == []
    clock.pass_ms(MINUTE_MS)
    assert await labels.again(ANA) == f"Pick-up code {code} for Ana Silva. Label to the printer, 2 times now."
    await labels.printed()
    prints = await labels.prints(ANA)
    assert (prints.times, prints.last_ms - prints.first_ms) == (2, MINUTE_MS)
    # Everybody is told of it, in the journal; and the stay, and what can be taken back, are as they were.
    (told,) = reprints_of(desk, ANA)
    assert (told.child_id, told.supersedes) == (ANA, ())
    assert labels.code_of(ANA) == code
    undoable = desk.counter.undoable()
    assert undoable is None or [one.kind for one in undoable.recorded] == [EventKind.CHECK_IN]

    assert labels.lacking([ANA], f" {code.lower()} ") == ()
    assert labels.lacking([ANA, INES], code) == ("Inês Gonçalves",)
    assert labels.lacking([ANA], "ZZZZ") == ("Ana Silva",)
    back_door = event_at(EventKind.CHECK_IN, clock.wall_ms(), 1, child_id=ANA, room_id=BEES)
    await desk.hear_of(back_door)  # the other desk took her in as well, and printed its own slip
    assert labels.lacking([ANA], pickup_code(back_door.event_id)) == ()
    await desk.check_out(ANA)
    assert labels.lacking([ANA], code) == ("Ana Silva",)
    with pytest.raises(DeskError, match="there is no label"):
        await labels.again(ANA)
    printing.cancel()


async def test_a_printer_that_fails_hangs_or_is_not_there_is_one_calm_line(desk: UnlinkedDesk, tmp_path: Path) -> None:
    labels, heard = desk.building.labels, desk.subscribe()
    recorded = await desk.counter.arrive([INES])
    for _ in range(JOBS_MAX):
        labels.settings = printing_to(tmp_path / "paper")
        assert "Label to the printer" in await labels.again(INES)
    assert FULL in await labels.again(INES)
    failed = f"Not printed: pick-up code {labels.code_of(INES)} for Inês Gonçalves."
    assert troubles(heard) == []
    (beatriz,) = await desk.counter.arrive([BEATRIZ])
    (told,) = troubles(heard)
    assert told.child_ids == (BEATRIZ,)
    assert (
        told.words("P")
        == f"Not printed: pick-up code {pickup_code(beatriz.event_id)} for Beatriz Cardoso. P tries again."
    )
    assert not await labels.were_printed([beatriz])
    heard = desk.subscribe()
    labels._jobs = type(labels._jobs)(JOBS_MAX)
    printing = asyncio.create_task(labels.run())
    slow = printing_to(tmp_path / "slow", then="import time; time.sleep(60)")
    for settings, words, may_be_out in (
        (printing_to(tmp_path / "bad", then="sys.exit(3)"), failed, False),
        (LabelSettings(print_command=(str(tmp_path / "nothing"),)), failed, False),
        (LabelSettings(print_command=slow.print_command, time_limit_s=1), failed, True),
        (printing_to(tmp_path / "pdf", LabelFormat.PDF), SIMPLIFIED, True),
    ):
        labels.settings = settings
        if words is SIMPLIFIED:
            desk.center.child(INES, "كريم", "Gonçalves")
            await desk.follow()
        await labels.again(INES)
        await labels.printed()
        (told,) = troubles(heard)
        assert (told.sentence, told.child_ids, told.may_try_again) == (words, (INES,), words == failed)
        assert await labels.were_printed(recorded) is may_be_out
        heard._messages.clear()
    assert (tmp_path / "pdf").read_bytes().startswith(b"%PDF-")
    assert (await labels.prints(INES)).times == 4
    assert (await desk.status()).waiting == 5  # two arrivals, and each label that may not be the only one
    printing.cancel()


async def test_a_label_that_fails_when_its_child_has_left_names_nobody(desk: UnlinkedDesk, tmp_path: Path) -> None:
    labels, heard, waits = desk.building.labels, desk.subscribe(), tmp_path / "waits"
    os.mkfifo(waits)
    labels.settings = LabelSettings(print_command=("sh", "-c", 'read line < "$0"; exit 3', str(waits)))
    printing = asyncio.create_task(labels.run())
    recorded = await desk.counter.arrive([INES])
    assert not await labels.were_printed(())
    end = await asyncio.to_thread(waits.open, "w")  # opens once the command reads: it runs
    assert await labels.were_printed(recorded)
    await desk.check_out(INES)
    end.close()
    await labels.printed()
    assert troubles(heard) == [PrinterTrouble(FAILED, (INES,))]
    printing.cancel()
