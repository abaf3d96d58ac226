"""Keeps one desk linked: dial, drive the session, back off, dial again; until the desk is no more, whatever happens."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kiosk.clock import Clock, Luck, fraction
from kiosk.keys import DeviceKeys
from kiosk.link.client import (
    NotRollcall,
    Refused,
    ServerUnreachable,
    TokenRefused,
    base_url,
    socket_url,
    trusted_authorities,
)
from kiosk.link.device_store import STORE_EFFECTS, DeviceStore, StoreEffect
from kiosk.link.device_token import TokenSource
from kiosk.log import Log
from kiosk.messages import LinkPhase
from kiosk.settings import LinkSettings, app_version
from kiosk.store.schema import SCHEMA_VERSION
from sync import effects as do
from sync import events as on
from sync.backoff import delay_ms
from sync.device_session import DeviceSession
from sync.driver import Driver, StoreUnavailable
from sync.errors import NEEDS_A_PERSON, CloseCode
from sync.messages import proof_material

if TYPE_CHECKING:
    from kiosk.link.websocket import Socket

_DURABLE: Final = (on.PageStored, on.SnapshotPartStored, on.OutcomesStored, on.IncarnationBegun, on.ReplicaDestroyed)


@dataclass(frozen=True)
class LinkState:
    """How the link stands, for the status line; `head_version` is the server's as last heard."""

    phase: LinkPhase = LinkPhase.CONNECTING
    detail: str = ""
    is_current: bool = False
    head_version: int = 0
    snapshot_part: int = 0
    snapshot_parts: int = 0


@dataclass
class _Ending:
    """What one try to be linked came to."""

    detail: str = ""
    phase: LinkPhase = LinkPhase.OFFLINE
    did_well: bool = False
    is_last: bool = False
    advised_ms: int | None = None


class LinkRunner:
    """Runs the links of one desk, one at a time, until it is cancelled or the desk was revoked."""

    def __init__(
        self,
        keys: DeviceKeys,
        store: DeviceStore,
        publish: Callable[[LinkState], None],
        *,
        clock: Clock,
        luck: Luck,
        settings: LinkSettings | None = None,
    ) -> None:
        self._keys = keys
        self._store = store
        self._publish = publish
        self._clock = clock
        self._luck = luck
        self._settings = settings or LinkSettings()
        self.tokens = TokenSource(keys, clock.monotonic_ms, self._settings.http_timeout_ms)
        self._driver: Driver[do.DeviceEffect] | None = None
        self._hurry = asyncio.Event()
        self._log = Log(device=keys.device_id)
        self.state = LinkState()

    def entry_recorded(self, seq: int, incarnation: str) -> None:
        """This journal, the current one, grew to `seq`: send it at once if there is a link."""
        if self._driver is not None:
            self._driver.deliver(on.EntryRecorded(seq, incarnation))

    def look_again(self) -> None:
        """The store may hold what this link was never told of: it ends, and the next one reads the store anew."""
        if self._driver is not None:
            self._driver.deliver(on.LinkClosed())
        self.hurry()

    def use(self, store: DeviceStore) -> None:
        """Go on with another store: what the link that is up knows of the old one does not hold any more."""
        self._store = store
        self.look_again()

    def hurry(self) -> None:
        """Dial now instead of waiting; for somebody who is about to leave."""
        self._hurry.set()

    async def run(self) -> None:
        """Stay linked until cancelled; nothing else ends it but the end of the desk itself."""
        failures = 0
        while True:
            ending = await self._try_link()
            if ending.is_last:
                return
            failures = 1 if ending.did_well else failures + 1
            self._show(LinkState(ending.phase, ending.detail, head_version=self.state.head_version))
            await self._wait(self._delay_ms(ending, failures))

    def _delay_ms(self, ending: _Ending, failures: int) -> int:
        luck = fraction(self._luck)
        if ending.phase is LinkPhase.NEEDS_PERSON:
            return int(self._settings.needs_person_retry_ms * (1 + luck / 2))
        return delay_ms(failures=failures, luck=luck, advised_ms=ending.advised_ms)

    async def _wait(self, wait_ms: int) -> None:
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self._hurry.wait()

    async def _try_link(self) -> _Ending:
        """Be linked once, as long as it lasts; every failure becomes an ending."""
        try:
            return await self._link_once()
        except TokenRefused:
            self.tokens.forget()
            ending = _Ending("the server did not take this device's token")
        except Refused as error:
            self._log.warning("device_refused", code=error.code, status=error.status)
            ending = _ending_of_refusal(error)
        except NotRollcall as error:
            ending = _Ending(f"what answers is not the Rollcall server: {error}")
        except ServerUnreachable as error:
            self._log.info("server_not_reached", reason=str(error))
            ending = _Ending("the server cannot be reached")
        except StoreUnavailable as error:
            self._log.warning("store_not_available", reason=str(error))
            ending = _Ending(_WORDS[CloseCode.STORE_UNAVAILABLE])
        except Exception:  # noqa: BLE001 - a defect must not leave the desk without a link for ever
            self._log.exception("link_failed")
            ending = _Ending("something went wrong; details are in kiosk.log")
        return ending

    async def _link_once(self) -> _Ending:
        sockets = await asyncio.to_thread(_sockets)
        token = await self.tokens.token()
        socket = await sockets.open(socket_url(base_url(self._keys.server_url)), token, self._settings)
        ending = _Ending()
        opened_ms = self._clock.monotonic_ms()
        try:
            await self._drive(socket, ending)
        finally:
            self._driver = None
            await socket.close(CloseCode.NORMAL, "")
        ending.did_well |= self._clock.monotonic_ms() - opened_ms >= self._settings.settled_after_ms
        self._judge_close(socket.close_code, ending)
        return ending

    async def _drive(self, socket: "Socket", ending: _Ending) -> None:
        session = DeviceSession(
            app_version=app_version(), schema_version=SCHEMA_VERSION, now_ms=self._clock.monotonic_ms()
        )
        performer = _Performer(self, socket, ending)
        driver: Driver[do.DeviceEffect] = Driver(session, performer.perform, self._clock.monotonic_ms)
        self._driver = driver
        driver.deliver(on.LinkOpened())
        reader = asyncio.create_task(_read_frames(socket, driver))
        try:
            await driver.run()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def _judge_close(self, code: int, ending: _Ending) -> None:
        self._log.info("link_closed", code=code, detail=ending.detail)
        if code in NEEDS_A_PERSON:
            ending.phase = LinkPhase.NEEDS_PERSON
        if code in (CloseCode.UNAUTHENTICATED, CloseCode.REVOKED):
            self.tokens.forget()
        if not ending.detail or code in NEEDS_A_PERSON:
            ending.detail = _WORDS.get(code, "the link ended")

    # -- for the performer

    async def store(self, effect: StoreEffect) -> on.DeviceEvent | None:
        """Carry out a store effect."""
        return await self._store.perform(effect)

    def sign_challenge(self, nonce: bytes) -> on.ChallengeSigned:
        """Prove within the link that it is still this device."""
        return on.ChallengeSigned(nonce, self._keys.sign(proof_material(self._keys.device_id, nonce)))

    def note_phase(self, note: do.NotePhase) -> None:
        """The session says how it stands."""
        self._show(
            replace(
                self.state,
                phase=LinkPhase.ONLINE,
                detail="",
                is_current=note.is_current,
                head_version=note.head_version,
                snapshot_part=note.snapshot_part,
                snapshot_parts=note.snapshot_parts,
            )
        )

    def _show(self, state: LinkState) -> None:
        self.state = state
        self._publish(state)


class _Performer:
    """Carries out the effects of one session."""

    def __init__(self, runner: LinkRunner, socket: "Socket", ending: _Ending) -> None:
        self._runner = runner
        self._socket = socket
        self._ending = ending

    async def perform(self, effect: do.DeviceEffect) -> on.DeviceEvent | None:
        """Carry out one effect; returns the event it leads to."""
        match effect:
            case do.SendFrame(frame):
                await self._socket.send(frame)
            case do.CloseLink(code, reason):
                self._ending.detail = _WORDS.get(code, f"the link was given up: {reason}")
                self._ending.phase = LinkPhase.NEEDS_PERSON if code in NEEDS_A_PERSON else LinkPhase.OFFLINE
                await self._socket.close(code, reason)
            case do.NotePhase():
                self._runner.note_phase(effect)
            case do.KeepAdvice(wait_ms):
                self._ending.advised_ms = wait_ms
            case do.SignChallenge(nonce):
                return self._runner.sign_challenge(nonce)
            case _:
                assert isinstance(effect, STORE_EFFECTS)
                event = await self._runner.store(effect)
                self._ending.did_well |= isinstance(event, _DURABLE)
                self._ending.is_last |= isinstance(event, on.ReplicaDestroyed)
                return event
        return None


def _sockets() -> "type[Socket]":
    """The libraries of the network, read at the first link and beside the loop: the screen is painted without them.

    httpx and websockets are a fifth of what a desk reads to start, and the certificates take 20 to 100 ms.
    """
    import httpx  # noqa: F401 - so that nothing waits for it on the loop

    from kiosk.link.websocket import Socket

    trusted_authorities()
    return Socket


async def _read_frames(socket: "Socket", driver: Driver[do.DeviceEffect]) -> None:
    try:
        async for frame in socket.frames():
            await driver.deliver_frame(frame)
    finally:
        driver.deliver(on.LinkClosed())


_WORDS: Final[dict[int, str]] = {
    CloseCode.REVOKED: "this device was revoked; it hands over what it holds",
    CloseCode.FORK: "the server knows another journal of this device; ask a manager",
    CloseCode.UPGRADE_NEEDED: "this program is too old for the server; install the current version",
    CloseCode.JOURNAL_INVALID: "the server cannot read this device's journal; ask a manager",
    CloseCode.STORE_UNAVAILABLE: "a store is not available now",
    CloseCode.GOING_AWAY: "the server is restarting",
    CloseCode.COME_BACK_LATER: "the server asked to come back later",
    CloseCode.UNAUTHENTICATED: "the server wants a fresh sign-in",
    CloseCode.SILENT: "nothing was heard for too long",
    CloseCode.STALLED: "connected, but nothing moved",
}


PAUSED: Final = "paused by the manager, entries are kept here"


def _ending_of_refusal(error: Refused) -> _Ending:
    """A desk that is suspended is dialled for as often as any: it may go on a moment after somebody has let it."""
    if error.code == "device_suspended":
        return _Ending(PAUSED, LinkPhase.PAUSED)
    words = f"the server refuses this device ({error.code}); ask a manager whether it is still enrolled"
    needs_person = error.status in (401, 403, 404)
    return _Ending(words, LinkPhase.NEEDS_PERSON if needs_person else LinkPhase.OFFLINE)
