"""The words of a child's day: what an entry says, what a question asks, and which entries it is about."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from kiosk.services.child_day import DayLine, Question, Stands
from kiosk.widgets.choice_list import Row, in_columns
from kiosk.widgets.wording import FINDING_WORDS, MARK_SYMBOLS, clock_text, local_time, mark_text
from sync.answers import PossibleAnswer
from sync.attendance import EventKind, FindingKind

KIND_WORDS: Final = {
    EventKind.CHECK_IN: "came",
    EventKind.CHECK_OUT: "left",
    EventKind.ROOM_MOVE: "moved",
    EventKind.VOID: "taken back",
    EventKind.CORRECT: "corrected",
    EventKind.CONFIRM: "confirmed",
    EventKind.RELEASE_REFUSED: "release refused",
    EventKind.LABEL_REPRINTED: "label sent to the printer",
    EventKind.AUTO_CLOSE: "closed by itself",
    EventKind.REVIEW_RESOLVED: "answer",
}
NOT_THE_ONLY_ONE: Final = "it may not be the only one"
DISPUTED: Final = "disputed"
QUESTION_PREFIX: Final = "question "
QUESTION_TITLES: Final = {
    FindingKind.POSSIBLE_MISSED_CHECK_OUT: "The child came twice. Did it leave in between?",
    FindingKind.OVERLAPPING_STAYS: "Two desks differ. Which of these is right?",
    FindingKind.CHECK_OUT_WITHOUT_CHECK_IN: "It left, and nobody saw it come. Was it here?",
    FindingKind.MOVEMENT_AFTER_DEPARTURE: "It was moved after it left. Had it left?",
    FindingKind.PRESENCE_ON_CLOSURE: "It was here on a closed day. Is that so?",
    FindingKind.ADJUSTMENT_AFTER_LOCK: "The figures of that day were closed before this. Is it right?",
    FindingKind.TIME_UNCERTAIN: "The time is not certain. Is it right?",
    FindingKind.UNKNOWN_REFERENCE: "Not on file. Does somebody know who or what is meant?",
    FindingKind.ACTOR_NOT_ENTITLED: "Who entered this, or the desk, was not to. Was it in order?",
    FindingKind.DISPUTED_BY_GUARDIAN: "A guardian says that this is wrong. Which is right?",
}
STANDS_SIGNS: Final = {Stands.CORRECTED: "~", Stands.VOIDED: "✗", Stands.PARKED: "!"}
# From so many cells on there is room for the desk and for all words of the state; on fewer a sign says the state.
_WIDE: Final = 60
_NARROW: Final = 40


def kind_words(line: DayLine) -> str:
    """What happened, in a word."""
    return DISPUTED if line.disputes else KIND_WORDS.get(line.kind, line.kind)


def what_words(line: DayLine, zone: ZoneInfo) -> str:
    """What happened, with whom or where: `left with Maria Silva`, `came, Bees`, `taken back: 07:32 came`."""
    what = kind_words(line)
    if line.acts_on:
        about = (f"{moment_words(one.said_at_ms, line.at_ms, zone)} {kind_words(one)}" for one in line.acts_on)
        return f"{what}: {', '.join(about)}"
    if line.disputes:
        said = line.note or line.reason
        return f"{what} by {line.by}: {said}" if said else f"{what} by {line.by}"
    if line.answered and line.kind is EventKind.REVIEW_RESOLVED:
        return f"answered: {line.answered}"
    if line.adult:
        return f"{what} with {line.adult}"
    return f"{what}, {line.room_name}" if line.room_name and line.kind is not EventKind.CHECK_OUT else what


def moment_words(at_ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """`07:40`; of another day than today `20 Sep 07:40`."""
    moment = local_time(at_ms, zone)
    is_today = moment.date() == local_time(now_ms, zone).date()
    return f"{moment:%H:%M}" if is_today else f"{moment.day} {moment:%b %H:%M}"


def day_row(line: DayLine, width: int, zone: ZoneInfo) -> Row:
    """An entry in so many cells."""
    first = f"{clock_text(line.at_ms, zone)}  {what_words(line, zone)}"
    state = f"✗ {line.stands}" if line.stands is Stands.VOIDED else line.stands or mark_text(line.mark)
    if width >= _WIDE:
        text = in_columns(width, first, (line.device, 14), (state, 16))
    elif width >= _NARROW:
        text = in_columns(width, first, (state, 16))
    else:
        first = f"{clock_text(line.at_ms, zone)} {what_words(line, zone)}"
        text = in_columns(width, first, (STANDS_SIGNS.get(line.stands, MARK_SYMBOLS.get(line.mark, "")), 1))
    look = {Stands.VOIDED: "$quiet", Stands.PARKED: "bold $warn"}.get(line.stands, "")
    return Row(line.event_id, text, look)


def detail_words(line: DayLine, zone: ZoneInfo) -> str:
    """Everything that is known of an entry."""
    parts = [f"{line.by}, on {line.device}"]
    if line.said_at_ms != line.at_ms:
        parts.append(f"first said {clock_text(line.said_at_ms, zone)}")
    parts += [f"why: {line.reason}"] if line.reason else []
    parts += [line.note] if line.note else []
    parts += [f"answered: {line.answered}"] if line.answered else []
    parts += [NOT_THE_ONLY_ONE] if line.kind is EventKind.LABEL_REPRINTED else []
    return "; ".join(parts)


def question_row(question: Question, now_ms: int, zone: ZoneInfo) -> Row:
    """A question with the times of what it is about."""
    level = "CRITICAL: " if question.is_critical else ""
    about = ", ".join(f"{moment_words(one.at_ms, now_ms, zone)} {kind_words(one)}" for one in question.about)
    words = f"! {level}{FINDING_WORDS[question.kind]}"
    return Row(f"{QUESTION_PREFIX}{question.key}", f"{words}  {about}".rstrip(), "bold $warn")


def about_lines(question: Question, now_ms: int, zone: ZoneInfo) -> tuple[str, ...]:
    """The entries that a question is about, as `07:40 came, Bees (Back door)`."""
    about = question.about
    return tuple(f"{moment_words(one.at_ms, now_ms, zone)} {what_words(one, zone)} ({one.device})" for one in about)


def question_words(question: Question, now_ms: int, zone: ZoneInfo) -> str:
    """Who answers a question, then what it is about."""
    who = "CRITICAL: for a manager, in the office." if question.is_critical else "ENTER shows the possible answers."
    about = about_lines(question, now_ms, zone)
    return f"{who} About {'; '.join(about)}." if about else who


def numbered(lines: Sequence[str]) -> tuple[str, ...]:
    """Each line with its number where there are several: answers speak of the first and the second."""
    return tuple(f"{number}. {line}" for number, line in enumerate(lines, 1)) if len(lines) > 1 else tuple(lines)


def answer_row(answer: PossibleAnswer) -> Row:
    """An answer, and below it what follows."""
    return Row(answer.code, f"{answer.says}\n→ {answer.consequence}")
