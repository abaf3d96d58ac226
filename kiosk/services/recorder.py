"""The one way by which anything a person says at this desk becomes durable, known and told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from kiosk.clock import Ids
from kiosk.services.children import provisional_name
from kiosk.services.following import Following
from kiosk.services.opening import OpenFolder
from kiosk.services.recording import Reading, Wish, Written, write_down
from kiosk.services.refusals import Refusals
from kiosk.services.revocation import Burial
from kiosk.services.timekeeping import StepWatch, moment_of
from kiosk.store.errors import StoreError
from kiosk.store.journal import OwnEntry
from sync.attendance import decode_event


@dataclass(frozen=True)
class Recorded:
    """What is now in the journal, durable; `occurred_at_ms` is in UTC milliseconds since 1970.

    `child_id` is empty for what is not about a child.
    """

    event_id: str
    kind: str
    child_id: str
    child_name: str
    occurred_at_ms: int


@dataclass(frozen=True)
class Surface:
    """Where what was written goes on: to the link, and a failure of the store to whoever repairs it."""

    offer: Callable[[tuple[OwnEntry, ...]], None]
    refusal: Callable[[StoreError], Exception]


class Recorder:
    """Writes wishes down. Who first looks whether it may, and then records, holds `one_at_a_time` meanwhile."""

    def __init__(self, following: Following, refusals: Refusals, ids: Ids, steps: StepWatch, surface: Surface) -> None:
        self.one_at_a_time = asyncio.Lock()
        self._following = following
        self._refusals = refusals
        self._ids = ids
        self._steps = steps
        self._surface = surface
        self._opened: OpenFolder | None = None
        self._burial: Burial | None = None

    def use(self, opened: OpenFolder, burial: Burial) -> None:
        """From now on write into this folder's replica."""
        self._opened, self._burial = opened, burial

    async def record(self, *wishes: Wish) -> tuple[Recorded, ...]:
        """Write them down together, all or none, and tell everybody; durable when this returns.

        A caller that goes away cannot stop it half-way.

        Raises:
            DeskError: revoked, bad_input, storage_full, storage_failed.

        """
        self._refusals.require_alive()
        zone = self._following.knowledge.center.time_zone
        made = tuple(
            replace(self._named(one), event_id=one.event_id or self._ids.new(), time_zone=zone) for one in wishes
        )
        return await asyncio.shield(asyncio.ensure_future(self._write(made)))

    def _named(self, wish: Wish) -> Wish:
        """Each event of a child who is not on file says what it is called, or the server would set it aside."""
        if wish.provisional_name or not wish.of_child_id:
            return wish
        return replace(wish, provisional_name=provisional_name(self._following.knowledge, wish.of_child_id))

    async def _write(self, wishes: tuple[Wish, ...]) -> tuple[Recorded, ...]:
        opened, burial = self._opened, self._burial
        assert opened is not None
        assert burial is not None
        moment = moment_of(self._following.clock)
        reading = Reading(moment, self._steps.step_ms(moment), self._following.clock_estimate(moment))

        def write() -> Written:
            burial.require_keys()
            return write_down(wishes, reading, opened.pen, opened.replica)

        try:
            written = await opened.replica.database.run(write)
        except StoreError as error:
            raise self._surface.refusal(error) from error
        for entry in written.entries:
            self._following.own_recorded(entry)
        self._following.time_passed(written.progress, written.noted)
        self._surface.offer(written.entries)
        return tuple(self._recorded(entry) for entry in written.entries)

    def _recorded(self, entry: OwnEntry) -> Recorded:
        event = decode_event(entry.body.encode())
        name = self._refusals.name_of(entry.child_id)
        return Recorded(entry.event_id, entry.kind, entry.child_id, name, event.occurred_at_ms)


@dataclass(frozen=True)
class DeskParts:
    """What a use-case of the desk is made from: what is known, what is refused, and the way to record."""

    following: Following
    refusals: Refusals
    recorder: Recorder
