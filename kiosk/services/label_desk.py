"""Labels at this desk: made from what is known, counted before they are printed, and checked when a child leaves."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from kiosk.log import Log
from kiosk.messages import PrinterTrouble
from kiosk.services.children import child_of
from kiosk.services.desk_file import LabelFormat, LabelSettings, LabelWhen
from kiosk.services.errors import DeskError, desk_error
from kiosk.services.labels import Label, Size, as_text, as_zpl, name_tag, pickup_slip
from kiosk.services.moments import day_words
from kiosk.services.opening import OpenFolder
from kiosk.services.people import name_of, person_of
from kiosk.services.printing import PrintCutOff, PrintFailed, hand_over
from kiosk.services.recorder import DeskParts, Recorded
from kiosk.services.recording import Wish
from kiosk.store.errors import StoreError
from kiosk.store.label_prints import LabelPrints, LabelPrintStore
from sync.attendance import EventKind, Stay
from sync.limits import REPLICA_DAYS
from sync.pickup_code import pickup_code, typed_codes

# A whole room that comes at once; a printer that is slower than that has something else wrong.
JOBS_MAX: Final = 20
LABEL_ALERT: Final = "allergy"
NO_PRINTER: Final = "No label printer is set up at this desk."
# Only what was recorded within the last minute is taken back; in that time nobody sends so many labels.
FAILED_MAX: Final = 200
FULL: Final = "Not printed: the printer is behind. Try again."
FAILED: Final = "The label printer did not take a label."
SIMPLIFIED: Final = "Some letters are not in the label's font; the names on it are simplified."
_DAY_MS: Final = 86_400_000

T = TypeVar("T")

log = Log()


class Labels:
    """Name tags and pick-up slips. A desk without a printer has codes all the same, to be written by hand."""

    def __init__(self, parts: DeskParts, opened: Callable[[], OpenFolder]) -> None:
        self.settings = LabelSettings()
        self.staff_id: Callable[[], str] = lambda: ""
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder
        self._opened = opened
        self._jobs: asyncio.Queue[tuple[str, ...]] = asyncio.Queue(JOBS_MAX)
        self._failed: dict[str, int] = {}  # by arrival, how many of its counted labels surely never came out

    # -- codes

    def code_of(self, child_id: str) -> str:
        """The pick-up code of the stay that is open; empty when there is none, or nobody saw the child come."""
        stay = self._open_stay(child_id)
        return pickup_code(stay.check_in.event.event_id) if stay and stay.check_in else ""

    def lacking(self, child_ids: Iterable[str], typed: str) -> tuple[str, ...]:
        """The names of the children for whom no code was typed; empty when every one of them has its own.

        Raises:
            DeskError: locked, revoked, unknown_child.

        """
        self._refusals.require_unlocked()
        given = typed_codes(typed)
        found = []
        for child_id in child_ids:
            self._refusals.require_known(child_id)
            if not given & self._codes(child_id):
                found.append(name_of(self._following.knowledge, child_id))
        return tuple(found)

    def _codes(self, child_id: str) -> frozenset[str]:
        """Every code that may be on a slip of this stay.

        Two desks that each took the child in have printed two; which arrival opens the stay may turn out later.
        """
        stay = self._open_stay(child_id)
        if stay is None:
            return frozenset()
        began_ms = stay.started_at_ms or 0
        facts = self._following.knowledge.facts(child_id).values()
        since = [fact.event for fact in facts if fact.at_ms >= began_ms]
        ids = {event.event_id for event in since if event.kind is EventKind.CHECK_IN}
        ids |= {stay.check_in.event.event_id} if stay.check_in else set()
        return frozenset(map(pickup_code, ids))

    def _open_stay(self, child_id: str) -> Stay | None:
        stays = self._following.knowledge.attendance(child_id).stays
        return stays[-1] if stays and stays[-1].is_open else None

    # -- printing

    def arrived(self, recorded: Sequence[Recorded]) -> None:
        """These children came together: print their tags and one slip, where that is wanted; never waits."""
        if self.settings.print_command and self.settings.when is LabelWhen.ARRIVAL:
            child_ids = tuple(one.child_id for one in recorded if one.kind == EventKind.CHECK_IN)
            if child_ids and not self._put(child_ids):
                self._tell(self._not_printed(child_ids))

    async def again(self, child_id: str) -> str:
        """Print the label of a child who is in, and say its code; in words, how often it was sent to the printer.

        Raises:
            DeskError: locked, revoked, unknown_child, bad_input when it is not in, storage errors.

        """
        self._refusals.require_unlocked()
        self._refusals.require_known(child_id)
        name, code = name_of(self._following.knowledge, child_id), self.code_of(child_id)
        if not code:
            raise DeskError("bad_input", f"{name} is not in by an arrival that was recorded; there is no label.")
        says = f"Pick-up code {code} for {name}."
        if not self.settings.print_command:
            return f"{says} {NO_PRINTER}"
        before = (await self.prints(child_id)).times
        if not self._put((child_id,)):
            return f"{says} {FULL}"
        return f"{says} Label to the printer{_nth(before + 1)}."

    async def prints(self, child_id: str) -> LabelPrints:
        """How often the label of the open stay went to the printer of this desk; raises DeskError of the store."""
        stay = self._open_stay(child_id)
        if stay is None or stay.check_in is None:
            return LabelPrints()
        event_id, replica = stay.check_in.event.event_id, self._opened().replica
        return await self._ask(lambda: LabelPrintStore(replica.database).read(event_id))

    async def run(self) -> None:
        """Print what was asked for, one job after the other, until cancelled; a failure is one line at the desk."""
        while True:
            child_ids = await self._jobs.get()
            try:
                await self._print(child_ids)
            except PrintFailed as error:
                log.warning("label_not_printed", reason=str(error))
                self._tell(self._not_printed(child_ids))
            except DeskError as refusal:
                self._tell(PrinterTrouble(f"No label was printed. {refusal.message}", child_ids))
            except Exception:
                log.exception("label_not_printed")
                self._tell(self._not_printed(child_ids))
            finally:
                self._jobs.task_done()

    async def printed(self) -> None:
        """Return once nothing waits for the printer."""
        await self._jobs.join()

    def _put(self, child_ids: tuple[str, ...]) -> bool:
        try:
            self._jobs.put_nowait(child_ids)
        except asyncio.QueueFull:
            return False
        return True

    def _not_printed(self, child_ids: tuple[str, ...]) -> PrinterTrouble:
        """The codes that are on no label: without a printer they are written by hand."""
        knowledge = self._following.knowledge
        codes = [(self.code_of(one), name_of(knowledge, one)) for one in child_ids]
        told = ", ".join(f"{code} for {name}" for code, name in codes if code)
        if not told or self._following.is_locked:
            return PrinterTrouble(FAILED, child_ids)
        return PrinterTrouble(f"Not printed: pick-up code {told}.", child_ids, may_try_again=True)

    async def were_printed(self, recorded: Sequence[Recorded]) -> bool:
        """Whether a label of one of these arrivals may have come out at this desk; raises DeskError of the store."""
        replica = self._opened().replica
        ids = [one.event_id for one in recorded if one.kind == EventKind.CHECK_IN]

        def read() -> bool:
            store = LabelPrintStore(replica.database)
            return any(store.read(event_id).times > self._failed.get(event_id, 0) for event_id in ids)

        return bool(ids) and await self._ask(read)

    async def _print(self, child_ids: tuple[str, ...]) -> None:
        """Tell and count, then print: no crash hides a label that exists. Who left meanwhile needs none.

        What is told and counted is therefore that a label was sent to the printer.
        """
        there = [child_id for child_id in child_ids if self.code_of(child_id)]
        if not there or self._following.is_locked:
            return
        settings, labels = self.settings, self._labels(there)
        await self._tell_everybody(there)
        counted = await self._count(there)
        try:
            job, is_simplified = await asyncio.to_thread(_job, labels, settings)
            await hand_over(settings.print_command, job, settings.time_limit_s)
        except PrintCutOff:
            raise
        except Exception:
            self._note_failed(counted)
            raise
        if is_simplified:
            self._tell(PrinterTrouble(SIMPLIFIED, child_ids))

    def _note_failed(self, event_ids: Sequence[str]) -> None:
        for event_id in event_ids:
            self._failed[event_id] = self._failed.pop(event_id, 0) + 1
        while len(self._failed) > FAILED_MAX:
            del self._failed[next(iter(self._failed))]

    def _labels(self, child_ids: Sequence[str]) -> tuple[Label, ...]:
        knowledge = self._following.knowledge
        day = day_words(self._following.now_ms(), knowledge.center.time_zone).partition(",")[0]
        tags = []
        for child_id in child_ids:
            child = child_of(knowledge, child_id)
            allergies = [one.text for one in child.alerts if one.kind == LABEL_ALERT] if self.settings.allergies else []
            room_name = person_of(knowledge, child_id).room_name
            tags.append(name_tag(name_of(knowledge, child_id), self.code_of(child_id), room_name, day, allergies))
        given = [(child_of(knowledge, one).called, self.code_of(one)) for one in child_ids]
        return (*tags, pickup_slip(given, day))

    async def _tell_everybody(self, child_ids: Sequence[str]) -> None:
        """Put into the journal whose label, about to be sent, may not be the only one: whoever holds one has the code.

        So is one that this desk printed before, and the first here of a child that came at another desk.
        """
        again = [one for one in child_ids if self._came_elsewhere(one) or (await self.prints(one)).times]
        if not again:
            return
        staff_id = self.staff_id()
        wishes = [Wish(kind=EventKind.LABEL_REPRINTED, child_id=one, staff_id=staff_id) for one in again]
        async with self._recorder.one_at_a_time:
            await self._recorder.record(*wishes)

    def _came_elsewhere(self, child_id: str) -> bool:
        stay = self._open_stay(child_id)
        return bool(stay and stay.check_in and stay.check_in.device_id != self._following.knowledge.device_id)

    async def _count(self, child_ids: Sequence[str]) -> list[str]:
        """Count a label for each of these; gives the arrivals to which they belong."""
        now_ms, staff_id, replica = self._following.now_ms(), self.staff_id(), self._opened().replica
        stays = [(self._open_stay(child_id), child_id) for child_id in child_ids]
        arrivals = [(stay.check_in.event.event_id, one) for stay, one in stays if stay and stay.check_in]

        def write() -> list[int]:
            store = LabelPrintStore(replica.database)
            with replica.database.transaction():
                store.drop_before(now_ms - REPLICA_DAYS * _DAY_MS)
                return [
                    store.count(event_id, child_id, now_ms=now_ms, staff_id=staff_id).times
                    for event_id, child_id in arrivals
                ]

        times = await self._ask(write)
        for (event_id, _), number in zip(arrivals, times, strict=True):
            log.info("label_counted", arrival=event_id, times=number, staff=staff_id)
        return [event_id for event_id, _ in arrivals]

    async def _ask(self, work: Callable[[], T]) -> T:
        try:
            return await self._opened().replica.database.run(work)
        except StoreError as error:
            raise desk_error(error) from error

    def _tell(self, trouble: PrinterTrouble) -> None:
        self._following.hub.publish(trouble)


def _job(labels: Sequence[Label], settings: LabelSettings) -> tuple[bytes, bool]:
    """What the printer gets, and whether letters had to be simplified; fonts are opened only for PDF."""
    size = Size(*settings.size_mm)
    if settings.format is LabelFormat.ZPL:
        return as_zpl(labels, size, settings.dots_per_mm).encode(), False
    if settings.format is LabelFormat.TEXT:
        return as_text(labels).encode(), False
    from kiosk.services.label_pdf import as_pdf

    made = as_pdf(labels, size, settings.font)
    return made.content, made.is_simplified


def _nth(times: int) -> str:
    """Nothing for the first time."""
    return "" if times == 1 else f", {times} times now"
