"""What a desk says of itself, and what it asks somebody to do."""

from dataclasses import replace

import pytest

from kiosk.messages import DeskStatus, LinkPhase
from kiosk.services.health import Health, clock_error_words, disk_words, health_lines, next_steps
from tests.support.building_desk import ANA, INES, MORNING_MS, UnlinkedDesk

GIB = 1024**3
WELL = Health(
    status=DeskStatus(
        link=LinkPhase.ONLINE,
        offline_since_ms=None,
        waiting=0,
        needs_review=0,
        version=7,
        head_version=7,
        data_as_of_ms=MORNING_MS,
        center_name="Oak",
        device_name="Front desk",
        time_zone="Europe/Lisbon",
        is_current=True,
    ),
    now_ms=MORNING_MS,
    server_url="https://rollcall.example.org",
    version="1",
    device_id="d",
    incarnation="i",
    journal_seq=3,
    acknowledged_seq=3,
    clock_offset_ms=0,
    schema=4,
    disk_free_bytes=9 * GIB,
    was_quarantined=False,
)
OFFLINE = replace(WELL.status, link=LinkPhase.OFFLINE)


def test_a_desk_that_is_well_asks_for_nothing() -> None:
    assert next_steps(WELL) == ("Nothing to do: this desk is well.",)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (replace(WELL, trouble="disk"), "did not answer"),
        (replace(WELL, disk_free_bytes=GIB // 8), "nearly full"),
        (replace(WELL, status=replace(WELL.status, link=LinkPhase.NEEDS_PERSON, detail="old")), "needs a person: old"),
        (replace(WELL, status=replace(OFFLINE, link=LinkPhase.PAUSED, waiting=3)), "go on, entries are kept here"),
        (replace(WELL, status=replace(OFFLINE, lease_left_ms=3_600_000)), "Connect this desk"),
        (replace(WELL, status=replace(OFFLINE, locked=True)), "Connect this desk"),
        (replace(WELL, status=replace(OFFLINE, waiting=1)), "1 entry not at the server"),
        (replace(WELL, clock_offset_ms=-61_000), "clock of this machine is wrong"),
        (replace(WELL, status=replace(WELL.status, needs_review=2)), "2 to settle"),
        (replace(WELL, status=OFFLINE, now_ms=MORNING_MS + 13 * 3_600_000), "data is old"),
        (
            replace(WELL, status=replace(WELL.status, newer_version="2.0")),
            "Rollcall 2.0 is available: ask for an upgrade",
        ),
        (replace(WELL, was_quarantined=True), "damaged and replaced"),
    ],
)
def test_each_trouble_has_one_sentence_that_says_what_to_do(health: Health, words: str) -> None:
    (step,) = next_steps(health)
    assert words in step


def test_a_clock_and_a_disk_are_told_in_words() -> None:
    assert clock_error_words(None) == "never compared with the server"
    assert clock_error_words(1_500) == "right"
    assert clock_error_words(90_000).startswith("90 s behind")
    assert clock_error_words(-600_000).startswith("10 min ahead")
    assert (disk_words(None), disk_words(GIB), disk_words(20 * GIB)) == (
        "cannot be told",
        "1024 MiB free",
        "20 GiB free",
    )


async def test_a_real_desk_says_what_it_holds_and_a_file_that_fails_is_told_of(desk: UnlinkedDesk) -> None:
    await desk.check_in(ANA)
    await desk.check_in(INES)
    lines = dict(health_lines(await desk.building.health.look()))
    assert lines["Waiting"] == "2 entries not answered yet"
    assert lines["Journal"] == "2 written, 0 answered by the server"
    assert lines["Replica"].startswith("opened and checked")
    database = desk._opened.replica.database
    await database.run(lambda: database.execute("DROP TABLE progress"))
    broken = await desk.building.health.look()
    assert broken.trouble
    assert dict(health_lines(broken))["Replica"] == "did not answer"
