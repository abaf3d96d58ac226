"""A child's day: every entry with where it came from and how sure it is, and every way to set it right."""

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kiosk.messages import DeskMessage, PrinterTrouble
from kiosk.screens.asking import AskScreen, ChooseScreen, Field
from kiosk.screens.fitting import fit
from kiosk.screens.freshness import calmly, keep_fresh
from kiosk.screens.page import OneAtATime, answer, answer_below, hint, page_frame
from kiosk.screens.port import DeskPort, WallClock
from kiosk.services.child_day import ChildDay, DayLine, Question, find_line
from kiosk.services.corrections import OFFICE_ANSWER, OLDER_DAY, Change, Late, answer_refusal
from kiosk.services.desk import Collector
from kiosk.services.roster import NOT_TODAY, is_blocked
from kiosk.services.typed_words import NAME_CHARACTERS_MAX, REASON_CHARACTERS_MAX
from kiosk.widgets.choice_list import ChoiceList, Row
from kiosk.widgets.day_words import (
    KIND_WORDS,
    QUESTION_PREFIX,
    QUESTION_TITLES,
    about_lines,
    answer_row,
    day_row,
    detail_words,
    numbered,
    question_row,
    question_words,
)
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import clock_text, date_text
from sync.answers import Need, PossibleAnswer
from sync.attendance import EventKind

CANCELLED: Final = "Cancelled; nothing was recorded."
CORRECTIONS: Final = frozenset({"time", "room", "collector", "void"})
OTHER_ADULT: Final = "other"
TIME: Final = Field("Time", "like 08:10", 5)
WHY: Final = Field("Why", "a few words for whoever reads it later", REASON_CHARACTERS_MAX)


class ChildDayScreen(Screen[None]):
    """Today and yesterday. Nothing is changed here: a correction is one more entry, with its reason."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer", "Answer", key_display="enter", priority=True),
        Binding("t", "time", "Time"),
        Binding("r", "room", "Room"),
        Binding("c", "collector", "Who"),
        Binding("x", "void", "Void"),
        Binding("i", "late('check_in')", "Came"),
        Binding("l", "late('check_out')", "Left"),
        Binding("p", "label", "Label"),
        Binding("escape", "close", "Back"),
    ]

    def __init__(self, desk: DeskPort, clock: WallClock, zone: ZoneInfo, child_id: str) -> None:
        super().__init__()
        self._desk = desk
        self._corrections = desk.building.corrections
        self._clock = clock
        self._zone = zone
        self._child_id = child_id
        self._day: ChildDay | None = None
        self._turns = OneAtATime()

    def compose(self) -> ComposeResult:
        """The child, its questions and entries, the answer to the last key."""
        yield from page_frame(foot=[QuietLine(id="page-detail")])

    def on_mount(self) -> None:
        """Show the day, and stay in step."""
        fit(self)
        hint(self, "Choose an entry, then a key below. What was said first stays on record.")
        self.query_one(ChoiceList).focus()
        self._follow()

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """A question is answered and an entry is corrected, so only the keys of what is chosen are offered."""
        if action in CORRECTIONS:
            return self._chosen_question() is None
        return action != "answer" or self._chosen_question() is not None

    @on(ChoiceList.OptionHighlighted)
    def line_reached(self) -> None:
        """Say everything that is known of the entry under the cursor."""
        self.refresh_bindings()
        line = self._chosen_line()
        self.query_one("#page-detail", QuietLine).say(
            detail_words(line, self._zone) if line else self._question_words()
        )

    @on(ChoiceList.OptionSelected)
    def line_chosen(self) -> None:
        """ENTER on a question."""
        self.action_answer()

    def action_time(self) -> None:
        """Correct when it happened."""
        self._perform(self._time)

    def action_room(self) -> None:
        """Correct the room."""
        self._perform(self._room)

    def action_collector(self) -> None:
        """Correct who collected."""
        self._perform(self._collector)

    def action_void(self) -> None:
        """Take the entry out of the count."""
        self._perform(self._void)

    def action_late(self, kind: str) -> None:
        """Enter what nobody entered in time."""
        self._perform(lambda: self._late(EventKind(kind)))

    def action_answer(self) -> None:
        """Answer the chosen question."""
        self._perform(self._answer)

    def action_label(self) -> None:
        """Print the label again."""
        self._perform(lambda: self._desk.building.labels.again(self._child_id))

    def action_close(self) -> None:
        """Back to the roster."""
        self.dismiss(None)

    @work(group="follow")
    async def _follow(self) -> None:
        await keep_fresh(self._desk, self._read_again, self._hear)

    def _hear(self, message: DeskMessage) -> None:
        """A label of this child that was not printed: said here, below the answer to the last key."""
        if isinstance(message, PrinterTrouble) and self._child_id in message.child_ids:
            answer_below(self, message.words("P"))

    async def _read_again(self) -> None:
        async def read() -> str:
            self._day = await self._corrections.day(self._child_id)
            self._show()
            return ""

        await calmly(read, self._say)

    @work(group="act")
    async def _perform(self, step: Callable[[], Awaitable[str]]) -> None:
        await self._turns.take(step, self._say, self._read_again)

    async def _time(self) -> str:
        line = self._chosen_line()
        if line is None or not line.may_correct:
            return self._instead("Choose an arrival, a departure or a move that counts.")
        typed = await self._ask(f"When was it, instead of {clock_text(line.at_ms, self._zone)}?", (TIME, WHY))
        if not typed:
            return CANCELLED
        await self._corrections.correct(self._child_id, line.event_id, Change(time=typed[0], reason=typed[1]))
        return f"Corrected to {typed[0].strip()} – recorded here."

    def _instead(self, words: str) -> str:
        """What to do where an entry cannot be corrected so."""
        line = self._chosen_line()
        return answer_refusal(line) if line is not None and line.answered else words

    async def _room(self) -> str:
        line = self._chosen_line()
        if line is None or not line.may_correct or line.kind is EventKind.CHECK_OUT:
            return self._instead("Choose an arrival or a move that counts.")
        rooms = [Row(room_id, name) for room_id, name in await self._desk.building.visits.rooms()]
        room_id = await self.app.push_screen_wait(ChooseScreen("Which room was it?", rooms))
        typed = await self._ask("Why is the room corrected?", (WHY,)) if room_id else ()
        if not typed:
            return CANCELLED
        await self._corrections.correct(self._child_id, line.event_id, Change(room_id=room_id, reason=typed[0]))
        return "Room corrected – recorded here."

    async def _collector(self) -> str:
        line = self._chosen_line()
        if line is None or not line.may_correct or line.kind is not EventKind.CHECK_OUT:
            return self._instead("Choose a departure that counts.")
        adult = await self._adult("Who collected, in truth?")
        typed = await self._ask("Why is the adult corrected?", (WHY,)) if adult else ()
        if adult is None or not typed:
            return CANCELLED
        change = Change(adult_id=adult[0], adult_name=adult[1], reason=typed[0])
        await self._corrections.correct(self._child_id, line.event_id, change)
        return "Adult corrected – recorded here."

    async def _void(self) -> str:
        line = self._chosen_line()
        if line is not None and line.by_office:
            return OFFICE_ANSWER
        if line is None or not line.may_void:
            return "Choose an entry that counts."
        words = f"{KIND_WORDS.get(line.kind, line.kind)} {clock_text(line.at_ms, self._zone)}"
        typed = await self._ask(f"Why does “{words}” not count?", (WHY,))
        if not typed:
            return CANCELLED
        await self._corrections.void(self._child_id, line.event_id, typed[0])
        return f"“{words}” does not count any more – recorded here."

    async def _late(self, kind: EventKind) -> str:
        today, yesterday = self._corrections.days()
        done = "come" if kind is EventKind.CHECK_IN else "leave"
        days = [Row(today, "Today"), Row(yesterday, "Yesterday")]
        day = await self.app.push_screen_wait(ChooseScreen(f"On which day did the child {done}?", days))
        if not day:
            return CANCELLED
        adult = ("", "") if kind is EventKind.CHECK_IN else await self._adult("Who collected?")
        if adult is None:
            return CANCELLED
        typed = await self._ask(f"When did the child {done}?", (TIME, WHY))
        if not typed:
            return CANCELLED
        late = Late(kind, day, typed[0], typed[1], adult_id=adult[0], adult_name=adult[1])
        await self._corrections.enter_late(self._child_id, late)
        return f"Entered for {typed[0].strip()} – recorded here."

    async def _answer(self) -> str:
        question = self._chosen_question()
        if question is None:
            return "Choose a question (!) first; entries are corrected with the keys below."
        if question.is_critical:
            return "A manager answers this, in the office. Tell them now."
        about = about_lines(question, self._clock.wall_ms(), self._zone)
        rows = [answer_row(one) for one in question.answers]
        asked = ChooseScreen(QUESTION_TITLES[question.kind], rows, about=numbered(about))
        code = await self.app.push_screen_wait(asked)
        chosen = next((one for one in question.answers if one.code == code), None)
        if chosen is None:
            return CANCELLED
        time = ""
        if chosen.needs is not Need.NOTHING:
            title = self._time_title(question, chosen)
            if not title:
                return OLDER_DAY
            typed = await self._ask(title, (TIME,), f"{'; '.join(about)}.")
            if not typed:
                return CANCELLED
            time = typed[0]
        await self._corrections.answer(self._child_id, question.key, code, time=time)
        return "Answered – recorded here."

    def _time_title(self, question: Question, chosen: PossibleAnswer) -> str:
        """Which time is asked for, and of which day; empty when that day is not for the desk any more."""
        line = find_line(self._day, question.event_ids[0]) if self._day else None
        if line is None:
            return ""
        date = date_text(line.at_ms, self._zone)
        if chosen.needs is Need.LEFT_AT:
            return f"When did the child leave, on {date}?"
        return f"When was it, instead of {clock_text(line.at_ms, self._zone)} on {date}?"

    async def _ask(self, title: str, fields: tuple[Field, ...], about: str = "") -> tuple[str, ...]:
        note = "ENTER goes on; a time is never in the future." if TIME in fields else "ENTER goes on."
        note = f"{note} {about}".rstrip()
        return await self.app.push_screen_wait(AskScreen(title, fields, note))

    async def _adult(self, title: str) -> tuple[str, str] | None:
        """Id and name of whoever collected: one of the list, or a typed name; None: cancelled."""
        known = await self._desk.collectors(self._child_id)
        rows = [Row(one.adult_id, _adult_words(one)) for one in known]
        rows.append(Row(OTHER_ADULT, "Somebody else: type the name"))
        key = await self.app.push_screen_wait(ChooseScreen(title, rows))
        if key != OTHER_ADULT:
            return (key, "") if key else None
        typed = await self._ask(title, (Field("Full name", "of the adult", NAME_CHARACTERS_MAX),))
        return ("", typed[0]) if typed and typed[0].strip() else None

    def _chosen_line(self) -> DayLine | None:
        return find_line(self._day, self.query_one(ChoiceList).chosen) if self._day else None

    def _chosen_question(self) -> Question | None:
        key = self.query_one(ChoiceList).chosen.removeprefix(QUESTION_PREFIX)
        return next((one for one in self._day.questions if one.key == key), None) if self._day else None

    def _question_words(self) -> str:
        question = self._chosen_question()
        return "" if question is None else question_words(question, self._clock.wall_ms(), self._zone)

    def _show(self) -> None:
        if self._day is None:
            return
        day, width = self._day, max(self.size.width - 4, 16)
        asked = f", {len(day.questions)} to settle" if day.questions else ""
        self.query_one("#page-title", QuietLine).say(f"{day.name}  today and yesterday{asked}")
        now_ms = self._clock.wall_ms()
        rows = [question_row(one, now_ms, self._zone) for one in day.questions]
        last = ""
        for line in day.lines:
            date = date_text(line.at_ms, self._zone)
            if date != last:
                rows.append(Row(f"day {date}", date, "bold $quiet", is_heading=True))
                last = date
            rows.append(day_row(line, width, self._zone))
        self.query_one(ChoiceList).show(
            rows, empty_words="Nothing was entered today or yesterday. I enters an arrival."
        )
        self.line_reached()

    def _say(self, sentence: str) -> None:
        answer(self, sentence)


def _adult_words(collector: Collector) -> str:
    if not is_blocked(collector):
        return f"{collector.name}, {collector.relationship}"
    return f"{collector.name} – {'not today' if collector.status == NOT_TODAY else 'MAY NOT COLLECT'}"
