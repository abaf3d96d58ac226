"""The server as a process: sessions, a hub that wakes followers and polls, and ways to die."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.driver import StoreUnavailable
from sync.errors import CloseCode
from sync.messages import proof_material
from sync.server_session import ServerSession
from tests.simulation.crashes import Crash, CrashPoints
from tests.simulation.link import Link
from tests.simulation.loop import SessionLoop
from tests.simulation.model_store import ModelServerStore, Reader

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

POLL_MS = 2_000
TOKEN_MS = 900_000
SHORT_TOKEN_MS = 20_000


class Connection:
    """One accepted link."""

    def __init__(self, link: Link, device: "Device", loop: SessionLoop) -> None:
        self.link = link
        self.device = device
        self.loop = loop
        self.told: Head | None = None


class Server:
    """One server process for all centres. The stores outlive it; everything here is lost in a crash."""

    def __init__(self, world: "World", stores: dict[str, ModelServerStore]) -> None:
        self.world = world
        self.stores = stores
        self.is_up = True
        self.paused_until_ms = 0
        self.store_delay_ms = (1, 15)
        self.loses_hints = False
        self.breaks_next_commit: list[bool] = []
        self.hangs_next = 0
        self.connections: list[Connection] = []
        self.luck = world.luck("server")
        self.points = CrashPoints("server", world.trace)
        self._generation = 0
        self._polls = False
        for store in stores.values():
            store.reach = self.points.reach

    # -- the process

    def crash(self, *, machine_lost: bool = False) -> None:
        """Die: sockets are closed by the kernel, or by nobody when the machine is lost."""
        if not self.is_up:
            return
        self.world.trace.note("server", "dies with its machine" if machine_lost else "dies")
        self.is_up = False
        self._generation += 1
        self.points.disarm()
        for store in self.stores.values():
            store.forget_snapshots()
        for connection in self.connections:
            connection.loop.stop()
            if machine_lost:
                connection.link.down.cut(kept_frames=0, tell=False, lag_ms=0)
            else:
                self.world.break_link(connection.link, self.luck)
        self.connections = []
        self.world.timeline.after(self.luck.between(500, 15_000), self.boot)

    def boot(self) -> None:
        """Start again."""
        if not self.is_up:
            self.world.trace.note("server", "starts")
            self.is_up = True
            self._generation += 1
            self._polls = False

    def pause(self, duration_ms: int) -> None:
        """Stop the process and wake it later, as SIGSTOP does."""
        self.paused_until_ms = self.world.timeline.now_ms + duration_ms
        for connection in self.connections:
            connection.loop.paused_until_ms = self.paused_until_ms

    def tell_all(self, event: Any) -> None:
        """Deliver an event to every session."""
        for connection in list(self.connections):
            connection.loop.deliver(event)

    def _after(self, delay_ms: int, action: Callable[[], object]) -> None:
        """Do something later, unless this process is dead by then."""
        generation = self._generation

        def act() -> None:
            if generation == self._generation:
                action()

        self.world.timeline.after(delay_ms, act)

    # -- links

    def accept(self, link: Link, device: "Device") -> None:
        """Take a new link."""
        session = ServerSession(now_ms=self.world.timeline.now_ms)
        loop = SessionLoop(
            session,
            self.world.timeline,
            lambda effect: self._carry_out(connection, effect),
            lambda effect, done: self._start(connection, effect, done),
        )
        connection = Connection(link, device, loop)
        loop.paused_until_ms = self.paused_until_ms
        loop.when_ended = lambda: self._ended(connection)
        loop.when_room = link.up.pump
        link.up.receive = loop.offer_frame
        link.up.ended = lambda _code: self._link_closed(connection)
        self.connections.append(connection)
        self._plan_poll()
        loop.deliver(on.LinkOpened(self._token_ms))

    @property
    def _token_ms(self) -> int:
        return SHORT_TOKEN_MS if self.world.plan.has("tokens_short") else TOKEN_MS

    def _link_closed(self, connection: Connection) -> None:
        connection.link.down.close(None)
        connection.loop.deliver(on.LinkClosed())

    def _ended(self, connection: Connection) -> None:
        connection.link.down.close(None)
        if connection in self.connections:
            self.connections.remove(connection)

    def _carry_out(self, connection: Connection, effect: Any) -> None:
        link = connection.link
        match effect:
            case do.SendFrame(frame):
                self._send(connection, frame)
            case do.CloseLink(code, reason):
                self.world.trace.note("server", f"closes {link.name}: {code.name} {reason}")
                self.world.checkers.server_closed(connection.device, code, reason)
                link.down.close(code)
            case do.RecordApplied():
                self._record_applied(connection, effect)
            case do.IssueChallenge():
                connection.loop.deliver(on.ChallengeIssued(self.luck.octets(32)))

    def _send(self, connection: Connection, frame: bytes) -> None:
        kind = self.world.checkers.server_sent(connection.device, connection.link, frame)
        point = {"PushStored": "server: before acknowledgement", "Page": "server: mid page"}.get(kind)
        try:
            if point:
                self.points.reach(point)
        except Crash:
            self.crash()
            return
        if not connection.link.down.is_open:
            connection.loop.deliver(on.LinkClosed())
        connection.link.down.send(frame)

    def _record_applied(self, connection: Connection, effect: do.RecordApplied) -> None:
        try:
            self._perform(connection, effect)
        except StoreUnavailable:
            return

    # -- the store

    def _start(self, connection: Connection, effect: Any, done: Callable[[Any], None]) -> None:
        generation = self._generation
        if self.hangs_next:
            self.hangs_next -= 1
            self.world.trace.note("server", f"{type(effect).__name__} hangs")
            return

        def perform() -> None:
            if generation != self._generation:
                return
            if self.world.timeline.now_ms < self.paused_until_ms:
                self.world.timeline.at(self.paused_until_ms, perform)
                return
            event = self._event_of(connection, effect)
            if generation == self._generation:
                self._after(self._delay_ms(), lambda: done(event))

        self.world.timeline.after(self._delay_ms(), perform)

    def _delay_ms(self) -> int:
        return self.luck.between(*self.store_delay_ms)

    def _event_of(self, connection: Connection, effect: Any) -> Any:
        try:
            if isinstance(effect, do.StoreBatch) and self.breaks_next_commit:
                return self._broken_commit(connection, effect)
            return self._perform(connection, effect)
        except StoreUnavailable as error:
            return on.StoreFailed(effect.lane, str(error))
        except Crash:
            self.crash()
            return None

    def _broken_commit(self, connection: Connection, effect: Any) -> Any:
        """COMMIT failed on the way: it took effect, or it did not, and nobody here knows."""
        if self.breaks_next_commit.pop():
            self._perform(connection, effect)
        raise StoreUnavailable("the answer to COMMIT was lost")

    def _perform(self, connection: Connection, effect: Any) -> Any:
        device = connection.device
        if isinstance(effect, do.CheckProof):
            return self._check_proof(device, effect)
        store = self.stores[device.center_id]
        before = store.state.head
        is_entitled = device.id not in self.world.revoked_ms
        reader = Reader(device_id=device.id, device_name=device.name, is_entitled=is_entitled)
        try:
            event = store.perform(effect, reader)
        finally:
            self.world.checkers.server_stored(device.center_id)
            if store.state.head != before:
                self.world.trace.note("server", f"log of {device.center_id[:4]} at {store.state.head.version}")
        if store.state.head != before:
            self.head_moved(device.center_id)
        return event

    def _check_proof(self, device: "Device", effect: do.CheckProof) -> on.ProofChecked:
        signed = self.world.signer(device.id)(proof_material(device.id, effect.nonce))
        is_good = signed == effect.signature and device.id not in self.world.revoked_ms
        return on.ProofChecked(self._token_ms if is_good else 0)

    def edit(self, center_id: str, change: Callable[[], None]) -> None:
        """Somebody changes reference data through the REST API, which is one transaction."""
        if not self.is_up:
            return
        before = self.stores[center_id].state.head
        try:
            change()
        except StoreUnavailable:
            return
        except Crash:
            self.crash()
        finally:
            self.world.checkers.server_stored(center_id)
        if self.is_up and self.stores[center_id].state.head != before:
            self.world.trace.note("office", f"edits {center_id[:4]}")
            self.head_moved(center_id)

    # -- the hub

    def head_moved(self, center_id: str) -> None:
        """Hint to all sessions of a centre that its log has grown; hints may be lost, the poll is the truth."""
        if self.loses_hints and self.luck.chance(0.5):
            return
        self._after(self.luck.between(0, 30), lambda: self._wake(center_id))

    def _wake(self, center_id: str) -> None:
        """Tell where the head is, each link once: whoever forgets it is not reminded, as the shipped poll would do."""
        head = self.stores[center_id].state.head
        for connection in list(self.connections):
            if connection.device.center_id == center_id and connection.told != head:
                connection.told = head
                connection.loop.deliver(on.HeadMoved(head.epoch, head.version))

    def _plan_poll(self) -> None:
        """The server polls for those who follow; with nobody there is nothing to tell."""
        if self.connections and not self._polls:
            self._polls = True
            self._after(POLL_MS, self._poll)

    def _poll(self) -> None:
        self._polls = False
        for center_id, store in self.stores.items():
            if not store.is_down:
                self._wake(center_id)
        for connection in list(self.connections):
            if connection.device.id in self.world.revoked_ms:
                connection.loop.deliver(on.RightsLost(CloseCode.REVOKED))
        self._plan_poll()

    def drain(self) -> None:
        """A rolling deploy: sockets are closed with "come back", and the process starts anew."""
        self.tell_all(on.DrainRequested(2_000))

    def lose_rights(self, connection: Connection) -> None:
        """The token of one link ran out."""
        connection.loop.deliver(on.RightsLost(CloseCode.UNAUTHENTICATED))
