"""Recorded links: the files, and the stages on which one of the two sides is played anew by the code of today."""

import hashlib
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.link.device_store import STORE_EFFECTS, perform_store
from kiosk.store.database import Database
from kiosk.store.pen import Pen
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.change_log import ChangeDraft, Operation
from sync.codec import decode_from_device
from sync.device_session import DeviceSession
from sync.driver import StoreUnavailable
from sync.errors import CloseCode
from sync.journal import Draft
from sync.messages import Push
from sync.server_session import ServerSession
from tests.simulation.model_store import CenterState, ModelServerStore, Reader

FOLDER: Final = Path(__file__).parent / "golden" / "v1"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
_TIMERS_MAX: Final = 1_000


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How both sides began. Private keys are Ed25519 seeds in hex, by device."""

    center_id: str
    time_zone: str
    epoch: str
    device_id: str
    device_name: str
    incarnation: str
    private_keys: dict[str, str]
    device_wall_ms: int
    server_wall_ms: int
    app_version: str
    schema_version: int
    snapshot_part_records_max: int
    page_changes_max: int
    salts: list[str]
    reference: list[list[dict[str, Any]]]

    def key(self, device_id: str) -> Ed25519PrivateKey:
        """The key of a device."""
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.private_keys[device_id]))


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Where both sides stood when it was over."""

    epoch: str
    version: int
    hash: str
    device_epoch: str
    device_version: int
    device_hash: str
    device_waiting: int
    stored_entries: dict[str, int]

    @property
    def log(self) -> tuple[str, int, str]:
        """The end of the server's log: epoch, version, hash."""
        return (self.epoch, self.version, self.hash)

    @property
    def replica(self) -> tuple[str, int, str]:
        """The device's cursor in it."""
        return (self.device_epoch, self.device_version, self.device_hash)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One frame (`step` says whose), or one thing that happened to a side; `at_ms` is monotonic, of both."""

    at_ms: int
    step: str
    message: str = ""
    hex: str = ""
    times: int = 1
    by: str = ""
    code: int = 0
    token_good_for_ms: int = 0
    child_id: str = ""
    draft: dict[str, Any] = {}
    changes: list[dict[str, Any]] = []
    device_id: str = ""
    device_name: str = ""
    after_seq: int = 0
    epoch: str = ""
    delay_ms: int = 0

    @property
    def frame(self) -> bytes:
        """The bytes that travelled."""
        return bytes.fromhex(self.hex) * self.times


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """A file. `crafted` names the side that no program played."""

    description: str
    protocol: int
    crafted: str
    setup: Setup
    end: End
    steps: list[Step]


def fingerprint() -> str:
    """SHA-256 over all files, in order of their names."""
    digest = hashlib.sha256()
    for name in NAMES:
        digest.update(name.encode() + b"\0" + (FOLDER / f"{name}.json").read_bytes())
    return digest.hexdigest()


def load(name: str) -> Transcript:
    """Read a transcript."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Transcript)


class Stage:
    """A session, the clock of the transcript, and what the session said and was not asked for yet."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.said: deque[bytes | int] = deque()
        self.session: Any = None

    def carry_out(self, effect: Any) -> list[Any]:
        """Do what the session asks; returns the events that come of it."""
        raise NotImplementedError

    def happens(self, step: Step) -> None:
        """Let something happen that is no frame."""
        raise NotImplementedError

    def tell(self, event: object) -> None:
        """Give the session an event, and the events that come of it."""
        inbox = deque([event])
        while inbox and self.session is not None:
            for effect in self.session.handle(inbox.popleft(), self.now_ms):
                match effect:
                    case do.SendFrame(frame):
                        self.said.append(frame)
                    case do.CloseLink(code):
                        self.said.append(int(code))
                    case _:
                        inbox.extend(self.carry_out(effect))

    def come_to(self, at_ms: int) -> None:
        """Let time pass, and fire what becomes due."""
        for _ in range(_TIMERS_MAX):
            due_ms = self.session.deadline_ms if self.session is not None else None
            if due_ms is None or due_ms > at_ms:
                self.now_ms = at_ms
                return
            self.now_ms = max(self.now_ms, due_ms)
            self.tell(on.TimerFired())
        raise AssertionError(f"the timer is due again and again at {self.now_ms}")

    def hang_up(self) -> None:
        """The link is gone."""
        self.tell(on.LinkClosed())
        self.session = None
        self.said.clear()


class ServerStage(Stage):
    """The server of today: its session, on the store of the simulator."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        salts = iter(setup.salts)
        self.store = ModelServerStore(
            setup.center_id,
            epoch=setup.epoch,
            salt=lambda _size: bytes.fromhex(next(salts)),
            wall_ms=lambda: setup.server_wall_ms + self.now_ms,
            verify=self._verify,
            time_zone=setup.time_zone,
        )
        self.store.judges_by_records = False  # as when these conversations were recorded
        self.store.part_records_max = setup.snapshot_part_records_max
        self.store.page_changes_max = setup.page_changes_max
        self._backup: CenterState | None = None
        for unit in setup.reference:
            self.store.write(_drafts(unit))

    def _verify(self, device_id: str, digest: bytes, signature: bytes) -> bool:
        try:
            self.setup.key(device_id).public_key().verify(signature, digest)
        except InvalidSignature:
            return False
        return True

    def carry_out(self, effect: Any) -> list[Any]:
        before = self.store.state.head
        try:
            reader = Reader(device_id=self.setup.device_id, device_name=self.setup.device_name)
            event = self.store.perform(effect, reader)
        except StoreUnavailable as error:
            return [on.StoreFailed(effect.lane, str(error))] if effect.lane else []
        head = self.store.state.head
        hint = [] if head == before else [on.HeadMoved(head.epoch, head.version)]
        return [each for each in (event, *hint) if each is not None]

    def happens(self, step: Step) -> None:
        match step.step:
            case "open":
                self.session = ServerSession(now_ms=self.now_ms)
                self.tell(on.LinkOpened(good_for_ms=step.token_good_for_ms))
            case "cut":
                self.hang_up()
            case "drain":
                self.tell(on.DrainRequested(step.delay_ms))
            case "rights_lost":
                self.tell(on.RightsLost(CloseCode(step.code)))
            case "database_down" | "database_up":
                self.store.is_down = step.step == "database_down"
            case "record":
                pass
            case _:
                self._changes(step)
                self.tell(on.HeadMoved(self.store.state.head.epoch, self.store.state.head.version))

    def _changes(self, step: Step) -> None:
        state = self.store.state
        match step.step:
            case "office":
                self.store.write(_drafts(step.changes))
            case "elsewhere":
                push = decode_from_device(step.frame)
                assert isinstance(push, Push)
                self.store.perform(
                    do.StoreBatch(push.entries), Reader(device_id=step.device_id, device_name=step.device_name)
                )
            case "forget_entries":
                key = (self.setup.device_id, self.setup.incarnation)
                kept = {**state.journals, key: state.journals[key][: step.after_seq]}
                self.store.state = msgspec.structs.replace(state, journals=kept)
            case "backup":
                self._backup = state
            case "restore":
                assert self._backup is not None
                self.store.restore(self._backup, step.epoch)
            case _:
                raise AssertionError(f"{step.step} is not known")


class DeviceStage(Stage):
    """The device of today: its session, on the shipped store in memory."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.advised: list[int] = []
        ids = (f"0198a000-0000-4000-8000-{number:012x}" for number in count(0x1D0000))
        self.pen = Pen(
            sign=setup.key(setup.device_id).sign,
            new_id=lambda: next(ids),
            monotonic_ms=lambda: self.now_ms,
            boot_id="boot-1",
        )
        self.replica = Replica(Database.in_memory())
        self.replica.prepare(device_id=setup.device_id, center_id=setup.center_id, incarnation=setup.incarnation)

    def carry_out(self, effect: Any) -> list[Any]:
        if isinstance(effect, do.KeepAdvice):
            self.advised.append(effect.delay_ms)
        if not isinstance(effect, STORE_EFFECTS):
            return []
        return [perform_store(effect, self.replica, wall_ms=self.setup.device_wall_ms + self.now_ms, pen=self.pen)]

    def happens(self, step: Step) -> None:
        match step.step:
            case "open":
                setup = self.setup
                self.session = DeviceSession(
                    app_version=setup.app_version, schema_version=setup.schema_version, now_ms=self.now_ms
                )
                self.tell(on.LinkOpened())
            case "cut":
                self.hang_up()
            case "record":
                self._record(step)
            case _:
                pass

    def _record(self, step: Step) -> None:
        draft = Draft(**{**step.draft, "body": step.draft["body"].encode()})
        with self.replica.database.transaction():
            entry = self.replica.journal.append(lambda _progress: draft, self.pen.sign, child_id=step.child_id)
        self.tell(on.EntryRecorded(entry.seq, entry.incarnation))


def _drafts(changes: list[dict[str, Any]]) -> list[ChangeDraft]:
    return [
        ChangeDraft(**{**each, "operation": Operation(each["operation"]), "body": each["body"].encode()})
        for each in changes
    ]
