"""What a device of docs/protocol.md keeps between its links, in plain memory, and how it gets its tokens."""

import asyncio
import json
import os
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.protocol.naive_wire import NONE_STAGED, Entry, Journal, Key, Record


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


class NaiveDevice:
    """What a device keeps between its links, in plain memory; `wall_ms` is its clock."""

    def __init__(self, server: str, wall_ms: Callable[[], int]) -> None:
        self.server = server
        self.wall_ms = wall_ms
        self.key = Ed25519PrivateKey.generate()
        self.device_id = self.center_id = self.token = ""
        self.boot_id = str(uuid.UUID(bytes=os.urandom(16), version=4))
        self.protocol = 2
        self.journals: list[Journal] = []
        self.records: dict[Key, Record] = {}
        self.epoch, self.version, self.hash = "", 0, b""
        self.staged: list[Any] = NONE_STAGED
        self.staged_records: dict[Key, Record] = {}
        self.head_version = 0
        self.repairing: set[str] = set()
        self.clock: tuple[int, int] | None = None
        self.hlc = 0
        self.links: list[dict[str, Any]] = []
        self.proofs = self.heartbeats = 0
        self.is_destroyed = False
        self.has_news = asyncio.Event()

    async def _post(self, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.server, trust_env=False) as client:
            answer: dict[str, Any] = (await client.post(f"/api/v1/devices/{path}", json=body)).raise_for_status().json()
        return answer

    async def enrol(self, code: str) -> None:
        """Become a device of the centre that the code is for."""
        public_key = base64url(self.key.public_key().public_bytes_raw())
        asked = {"code": code, "public_key": public_key, "device_name": "Naive", "app_version": "0"}
        answer = await self._post("enrol", asked)
        self.device_id, self.center_id = answer["device_id"], answer["center_id"]
        self.begin_journal()

    async def fetch_token(self) -> None:
        """Prove the key, get a token."""
        nonce = (await self._post(f"{self.device_id}/nonce"))["nonce"]
        signed = f"rollcall-device-token-v1\n{self.device_id}\n{nonce}".encode("ascii")
        answer = await self._post(
            f"{self.device_id}/token", {"nonce": nonce, "signature": base64url(self.key.sign(signed))}
        )
        self.token = answer["access_token"]

    # -- the journal

    @property
    def journal(self) -> Journal:
        """The one that is written."""
        return self.journals[-1]

    @property
    def waiting(self) -> list[Entry]:
        """Entries without an outcome."""
        return [entry for journal in self.journals for entry in journal.entries if entry.outcome is None]

    @property
    def is_current(self) -> bool:
        """Whether it has everything, and the server too."""
        is_told = bool(self.epoch) and not self.waiting
        return is_told and self.version >= self.head_version and not self.repairing

    def begin_journal(self) -> None:
        """Write another journal from now on."""
        self.journals.append(Journal(self.device_id, str(uuid.UUID(bytes=os.urandom(16), version=4))))

    def new_id(self) -> str:
        """A UUIDv7."""
        value = bytearray(self.wall_ms().to_bytes(6, "big") + os.urandom(10))
        value[6] = 0x70 | value[6] & 0x0F
        value[8] = 0x80 | value[8] & 0x3F
        return str(uuid.UUID(bytes=bytes(value)))

    def write(self, event_id: str, kind: str, body: bytes) -> Entry:
        """Append to the journal."""
        self.hlc = max(self.hlc + 1, self.wall_ms() << 16)
        stamps = [self.hlc, self.wall_ms(), self.monotonic_ms(), self.boot_id]
        entry = self.journal.append(self.key, [event_id, kind, body, *stamps, self.epoch, self.version])
        self.has_news.set()
        return entry

    def record(self, kind: str, child_id: str, **more: Any) -> Entry:
        """Write down that a child came or left."""
        now_ms, event_id = self.wall_ms(), self.new_id()
        event: dict[str, Any] = {"event_id": event_id, "kind": kind, "center_id": self.center_id, "child_id": child_id}
        event |= {"occurred_at_ms": now_ms, "recorded_at_ms": now_ms, **more}
        if self.clock is not None:
            event |= {"clock_offset_ms": self.clock[0], "clock_error_ms": self.clock[1]}
        return self.write(event_id, kind, json.dumps(event).encode())

    def note_incident(self, incident: str) -> None:
        """Write down that something happened to the device itself."""
        event_id = self.new_id()
        said = {"event_id": event_id, "incident": incident, "occurred_at_ms": self.wall_ms()}
        self.write(event_id, "device_incident", json.dumps(said).encode())

    def fork(self, journal: Journal) -> None:
        """Tell again, under another incarnation, what has no outcome; of the journal that is written, everything."""
        for entry in journal.entries if journal is self.journal else ():
            entry.outcome = None
        moved = [entry for entry in journal.entries if entry.outcome is None]
        journal.entries = [entry for entry in journal.entries if entry.outcome is not None]
        if journal is self.journal:
            self.begin_journal()
        for entry in moved:
            self.journal.append(self.key, entry.fields[2:])
        self.note_incident("journal_forked")
        if not journal.entries:
            self.journals.remove(journal)

    def monotonic_ms(self) -> int:
        """Milliseconds since some start."""
        return int(asyncio.get_running_loop().time() * 1000)

    def events(self) -> set[str]:
        """The ids of all events in the replica."""
        return {entity_id for entity, entity_id in self.records if entity == "event"}

    def note_clock(self, sent_ms: int, round_trip_ms: int, server_wall_ms: int) -> None:
        """Take a sample: the server's time belongs to the middle of the round trip."""
        self.clock = (server_wall_ms - (sent_ms + round_trip_ms // 2), round_trip_ms // 2 + 1)
