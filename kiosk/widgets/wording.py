"""The words and signs of the screen: times, states and ages as a person at the desk reads them.

Colour is never the only sign: each state has a word and a symbol, and both are here.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.cells import cell_len, set_cell_size

from kiosk.messages import DeskStatus, LinkPhase, Mark, Presence, Quarantined
from kiosk.services.children import NOT_ON_FILE
from kiosk.services.desk import RosterLine
from sync.attendance import FindingKind

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

STATUS_SYMBOLS: Final = {Presence.IN: "●", Presence.NOT_ARRIVED: "○", Presence.OUT: "←"}
ABSENT_SYMBOL: Final = "–"
ABSENCE_WORDS: Final = {
    "sick": "sick",
    "holiday": "holiday",
    "appointment": "appointment",
    "other": "announced",
    "unexplained": "unexplained",
}
STATUS_WORDS: Final = {Presence.IN: "In", Presence.NOT_ARRIVED: "Not yet", Presence.OUT: "Gone home"}
MARK_SYMBOLS: Final = {Mark.RECORDED: "…", Mark.CONFIRMED: "✓", Mark.NEEDS_REVIEW: "!"}
ALERT_SYMBOL: Final = "▲"
FINDING_WORDS: Final = {
    FindingKind.POSSIBLE_MISSED_CHECK_OUT: "no check-out before?",
    FindingKind.OVERLAPPING_STAYS: "two desks differ",
    FindingKind.CHECK_OUT_WITHOUT_CHECK_IN: "nobody saw it come",
    FindingKind.TWO_COLLECTORS: "two people collected it",
    FindingKind.MOVEMENT_AFTER_DEPARTURE: "moved after it left?",
    FindingKind.RELEASED_ON_STALE_AUTHORISATION: "given to somebody not allowed",
    FindingKind.RELEASED_BY_OVERRIDE: "given in spite of a doubt",
    FindingKind.PRESENCE_ON_CLOSURE: "here on a closed day",
    FindingKind.ADJUSTMENT_AFTER_LOCK: "entered after the lock",
    FindingKind.TIME_UNCERTAIN: "time not certain",
    FindingKind.UNKNOWN_REFERENCE: "not on file",
    FindingKind.ACTOR_NOT_ENTITLED: "entered by whom?",
    FindingKind.DISPUTED_BY_GUARDIAN: "disputed by a guardian",
}
DONE_WORDS: Final = {"check_in": "checked in", "check_out": "checked out", "release_refused": "not released"}


def zone_of(name: str) -> ZoneInfo:
    """The centre's time zone; UTC while the name is unknown or not yet received."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def local_time(at_ms: int, zone: ZoneInfo) -> datetime:
    """Wall time of the centre for UTC milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)


def clock_text(at_ms: int, zone: ZoneInfo) -> str:
    """Hours and minutes, `07:58`."""
    return local_time(at_ms, zone).strftime("%H:%M")


def date_text(at_ms: int, zone: ZoneInfo) -> str:
    """The day in words, `Monday 21 September 2026`."""
    moment = local_time(at_ms, zone)
    return f"{moment:%A} {moment.day} {moment:%B %Y}"


def moment_text(at_ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """A time of today as `07:58`, of another day as `20 Sep`, so that an open stay shows its age."""
    moment = local_time(at_ms, zone)
    if moment.date() == local_time(now_ms, zone).date():
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b}"


def age_text(age_ms: int) -> str:
    """How old something is, in its largest whole unit; a clock that was set back gives `just now`."""
    if age_ms < MINUTE_MS:
        return "just now"
    if age_ms < HOUR_MS:
        return f"{age_ms // MINUTE_MS} min old"
    if age_ms < DAY_MS:
        return f"{age_ms // HOUR_MS} h old"
    return f"{age_ms // DAY_MS} d old"


def status_text(line: RosterLine) -> str:
    """Symbol and word of where a child is: `● In`; of one that is announced not to come `– Absent`."""
    if line.absence:
        return f"{ABSENT_SYMBOL} Absent"
    return f"{STATUS_SYMBOLS[line.status]} {STATUS_WORDS[line.status]}"


def name_cell(line: RosterLine, cells: int) -> str:
    """A name in so many cells; of a child who is not on file it is cut before the words that say so."""
    if line.is_on_file or line.display_name == line.listed_name:
        return in_cells(line.display_name, cells)
    left = cells - len(NOT_ON_FILE) - 1
    if cell_len(line.display_name) <= left:
        return set_cell_size(f"{line.display_name} {NOT_ON_FILE}", cells)
    return set_cell_size(f"{set_cell_size(line.display_name, max(left - 1, 3))}… {NOT_ON_FILE}", cells)


def mark_text(mark: Mark) -> str:
    """Symbol and words of how far an entry has come; empty when there is no entry of this desk."""
    symbol = MARK_SYMBOLS.get(mark)
    return f"{symbol} {mark.value}" if symbol else ""


def notes_text(line: RosterLine) -> str:
    """What must be seen of a child: its alerts, which nothing may push out of sight, then what is to be settled.

    Then why it does not come. A kind of absence that came later than this desk is no secret reason: it is announced.
    """
    findings = [f"! {FINDING_WORDS[kind]}" for kind in line.findings]
    absent = [f"absent today ({ABSENCE_WORDS.get(line.absence, 'announced')})"] if line.absence else []
    return "; ".join((*(alert.text for alert in line.alerts), *findings, *absent))


def link_text(status: DeskStatus, now_ms: int, zone: ZoneInfo) -> str:
    """The left half of the status line: `● ONLINE` or `○ OFFLINE since 07:41, 12 waiting`."""
    if status.link is LinkPhase.ONLINE:
        words = "● ONLINE"
    elif status.link is LinkPhase.NEEDS_PERSON:
        words = f"! NEEDS A PERSON: {status.detail or 'ask the manager'}"
    elif status.link is LinkPhase.PAUSED:
        # 40 columns are left for it on a narrow screen; the health screen has the whole sentence.
        words = f"‖ PAUSED by manager: {status.waiting or 'entries'} kept here"
    elif status.offline_since_ms is not None:
        words = f"○ OFFLINE since {moment_text(status.offline_since_ms, now_ms, zone)}"
    else:
        words = "○ OFFLINE" if status.link is LinkPhase.OFFLINE else "… CONNECTING"
    parts = [words]
    if status.waiting and status.link is not LinkPhase.PAUSED:
        parts.append(f"{status.waiting} waiting")
    if status.lease_ends_soon and status.link is not LinkPhase.ONLINE:
        parts.append(f"connect within {left_text(status.lease_left_ms or 0)}")
    return ", ".join(parts)


def left_text(left_ms: int) -> str:
    """How much time is left, rounded down: `71 h`, `12 min`."""
    return f"{left_ms // HOUR_MS} h" if left_ms >= HOUR_MS else f"{left_ms // MINUTE_MS} min"


def quarantine_text(found: Quarantined) -> str:
    """What happened to a damaged file, for whoever starts the desk."""
    saved = f"{found.waiting} unsent {'entry' if found.waiting == 1 else 'entries'} saved"
    lost = f", {found.lost} not readable: tell the manager" if found.lost else ""
    return f"The file of this desk was damaged and has been replaced; {saved}{lost}."


NO_CHILDREN: Final = "No children yet. They appear when the first data has arrived."


def nobody_text(searched: str, room_name: str) -> str:
    """Why the list is empty: nobody fits what was searched for, in the room that is shown (empty: in all rooms)."""
    where = f" in {room_name}; F2 shows other rooms" if room_name else ""
    if searched:
        return f"No child fits “{searched}”{where}. ^G takes in a child not on file."
    return f"No children{where}."


NEWER_VERSION: Final = "newer version: ask for an upgrade"


def data_text(status: DeskStatus, now_ms: int) -> str:
    """The right half of the status line: what waits for a person, and how old the data is."""
    needs = "needs" if status.needs_review == 1 else "need"
    review = f"! {status.needs_review} {needs} review" if status.needs_review else ""
    upgrade = NEWER_VERSION if status.newer_version else ""
    return "   ".join(part for part in (review, upgrade, _freshness(status, now_ms)) if part)


def _freshness(status: DeskStatus, now_ms: int) -> str:
    if status.data_as_of_ms is None:
        return "no data yet"
    age = age_text(now_ms - status.data_as_of_ms)
    return "data up to date" if age == "just now" and status.link is LinkPhase.ONLINE else f"data {age}"


def in_cells(text: str, cells: int) -> str:
    """Exactly so many cells of a terminal; a text that is cut says so by its last one."""
    return set_cell_size(text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…", cells)
