"""A second client of the sync protocol, written from docs/protocol.md alone: plain, slow, and with no code of ours."""

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.protocol.naive_device import NaiveDevice
from tests.protocol.naive_wire import (
    NONE_STAGED,
    Entry,
    Journal,
    Record,
    after_change,
    check_commitment,
    differing,
    digests,
    pack,
    unpack,
)

RECONCILE, UPLOAD_ONLY = 4, 5
PUSH_ENTRIES, PUSH_BYTES = 32, 65_536
HEARTBEAT_S, SILENCE_S, SLOW_DOWN_MAX_S = 5.0, 14.0, 10.0

Until = Callable[[NaiveDevice], bool]


async def link(device: NaiveDevice, until: Until) -> int:
    """Be linked until the condition holds, or the server closes; returns the close code."""
    url = "ws" + device.server.removeprefix("http") + "/api/v1/sync"
    async with connect(
        url,
        additional_headers={"Authorization": f"Bearer {device.token}"},
        subprotocols=[Subprotocol("rollcall.sync.v1")],
        compression=None,
        proxy=None,
    ) as socket:
        made = _Link(device, socket)
        try:
            await made.run(until)
        except ConnectionClosed:
            pass
        finally:
            if made.reading is not None:
                made.reading.cancel()
        await socket.close(1000)
        return socket.close_code or 0


class _Link:
    """One link: read a message, do what it asks, push what is left, and again."""

    def __init__(self, device: NaiveDevice, socket: ClientConnection) -> None:
        self.device = device
        self.socket = socket
        self.reading: asyncio.Task[Any] | None = None
        self.said_at = self.heard_at = self.push_at = 0.0
        self.offered: dict[str, int] = {}
        self.pushed: tuple[Journal, list[Entry]] | None = None
        self.plan = 0
        self.greeted_ms = self.greeted_wall_ms = 0
        self.repairs: dict[str, int] = {}

    async def run(self, until: Until) -> None:
        await self._hello()
        while not (self.plan and until(self.device)):
            frame = await self._next_frame()
            if frame is not None:
                name, fields = unpack(frame)
                await getattr(self, f"_on_{name.lower()}")(**fields)
            if self.plan:
                await self._push()
            if self.plan == UPLOAD_ONLY and not self.device.waiting:
                self.device.is_destroyed = True
                return

    async def _say(self, name: str, **fields: Any) -> None:
        await self.socket.send(pack(name, **fields))
        self.said_at = asyncio.get_running_loop().time()

    async def _next_frame(self) -> bytes | None:
        """The next frame; None when it is time for something else."""
        now = asyncio.get_running_loop().time()
        self.heard_at = self.heard_at or now
        if now - self.heard_at >= SILENCE_S:
            await self.socket.close(4408)
        if now - self.said_at >= HEARTBEAT_S and self.plan:
            device = self.device
            sample = {"monotonic_ms": device.monotonic_ms(), "wall_ms": device.wall_ms()}
            await self._say("Heartbeat", version=device.version, queue_depth=len(device.waiting), **sample)
        self.reading = self.reading or asyncio.create_task(self.socket.recv())
        news = asyncio.create_task(self.device.has_news.wait())
        await asyncio.wait({self.reading, news}, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        self.device.has_news.clear()
        if not self.reading.done():
            return None
        frame, self.reading = self.reading.result(), None
        self.heard_at = asyncio.get_running_loop().time()
        assert isinstance(frame, bytes)
        return frame

    async def _hello(self) -> None:
        device = self.device
        seq, journal_hash = device.journal.end
        self.greeted_ms, self.greeted_wall_ms = device.monotonic_ms(), device.wall_ms()
        await self._say(
            "Hello",
            protocol_min=1,
            protocol_max=device.protocol,
            app_version="naive",
            schema_version=1,
            incarnation=device.journal.incarnation,
            epoch=device.epoch,
            version=device.version,
            hash=device.hash,
            journal_seq=seq,
            journal_hash=journal_hash,
            queue_depth=len(device.waiting),
            wall_ms=self.greeted_wall_ms,
            monotonic_ms=self.greeted_ms,
            older=[[journal.incarnation, *journal.end] for journal in device.journals[:-1]][-8:],
            digests=sorted(map(list, digests(device.records).items()), reverse=True)[:64],
            staged=device.staged,
        )

    async def _on_welcome(self, **welcome: Any) -> None:
        device = self.device
        device.links.append(welcome)
        assert welcome["protocol"] == device.protocol
        assert welcome["echo_monotonic_ms"] == self.greeted_ms
        round_trip_ms = device.monotonic_ms() - self.greeted_ms
        device.note_clock(self.greeted_wall_ms, round_trip_ms, welcome["server_wall_ms"])
        self.plan, device.head_version = welcome["plan"], welcome["head_version"]
        device.repairing.clear()
        current = device.journal
        stored = {incarnation: (seq, digest) for incarnation, seq, digest in welcome["older"]}
        stored[current.incarnation] = (welcome["stored_seq"], welcome["stored_hash"])
        for journal in list(device.journals):
            if journal.incarnation in stored:
                self._compare(journal, *stored[journal.incarnation], is_current=journal is current)
        for bucket in welcome["differing"]:
            await self._repair(bucket)

    # -- upload

    def _compare(self, journal: Journal, stored_seq: int, stored_hash: bytes, *, is_current: bool) -> None:
        seq, digest = journal.end
        if stored_seq > seq or (stored_seq == seq and stored_hash != digest):
            if is_current and (stored_seq == seq or self.plan == RECONCILE):
                _reopen(journal, 0)
            if is_current or journal.settled_seq < seq:
                self.device.fork(journal)
            return
        if stored_seq < journal.settled_seq:
            _reopen(journal, stored_seq)
        self.offered[journal.incarnation] = min(stored_seq, journal.settled_seq)

    async def _push(self) -> None:
        """Offer the next run of the oldest journal that has one."""
        device = self.device
        # A journal that began on this link is offered from its first entry.
        self.offered.setdefault(device.journal.incarnation, 0)
        if self.pushed is not None or asyncio.get_running_loop().time() < self.push_at:
            return
        for journal in device.journals:
            after = self.offered.get(journal.incarnation, journal.end[0])
            run: list[Entry] = []
            for entry in journal.entries:
                size = sum(len(each.fields[4]) + 512 for each in (*run, entry))
                if entry.seq > after and len(run) < PUSH_ENTRIES and (size <= PUSH_BYTES or not run):
                    run.append(entry)
            if run:
                self.pushed = (journal, run)
                await self._say("Push", entries=[entry.on_the_wire() for entry in run])
                return

    async def _on_pushstored(self, through_seq: int, hash: bytes, outcomes: list[Any]) -> None:  # noqa: A002 - the field
        assert self.pushed is not None
        (journal, run), self.pushed = self.pushed, None
        self.offered[journal.incarnation] = through_seq
        if not outcomes:
            _reopen(journal, through_seq)
            return
        assert (through_seq, hash) == (run[-1].seq, run[-1].hash)
        assert [each[:2] for each in outcomes] == [[entry.seq, entry.event_id] for entry in run]
        for entry, outcome in zip(run, outcomes, strict=True):
            entry.outcome = outcome
            self.device.head_version = max(self.device.head_version, outcome[4])

    async def _on_forkfound(self, incarnation: str, seq: int) -> None:
        assert self.pushed is not None
        (journal, run), self.pushed = self.pushed, None
        assert (incarnation, seq) == (journal.incarnation, run[0].seq)
        del self.offered[incarnation]
        self.device.fork(journal)

    async def _on_advice(self, kind: int, delay_ms: int) -> None:
        if kind == 1:
            self.push_at = asyncio.get_running_loop().time() + min(delay_ms / 1000, SLOW_DOWN_MAX_S)

    # -- download

    async def _on_snapshotpart(self, **part: Any) -> None:
        device, bucket = self.device, part["bucket"]
        position = [part["epoch"], part["version"]]
        if part["part"] == 1:
            device.staged, device.staged_records = NONE_STAGED, {}
        else:
            assert device.staged == [*position, part["part"] - 1, part["parts"]]
        for of, entity, entity_id, version, body, salt, commitment, *_ in part["records"]:
            check_commitment(salt, body, commitment)
            device.staged_records[entity, entity_id] = Record(of, version, body, commitment)
        if part["part"] < part["parts"]:
            device.staged = [*position, part["part"], part["parts"]]
            await self._applied(part["epoch"], 0, part["part"])
            return
        assert not differing(device.staged_records, part["digests"])
        if bucket:
            assert position == [device.epoch, device.version]
            kept = {key: record for key, record in device.records.items() if record.bucket != bucket}
        else:
            kept = {}
            self._witness()
        device.records = kept | device.staged_records
        device.staged, device.staged_records = NONE_STAGED, {}
        device.epoch, device.version, device.hash = part["epoch"], part["version"], part["hash"]
        device.head_version = max(device.head_version, device.version)
        if bucket:
            device.repairing.discard(bucket)
            device.note_incident("bucket_repaired")
        await self._applied(device.epoch, device.version)

    def _witness(self) -> None:
        """Offer what another life of the log does not have."""
        device = self.device
        if self.plan != RECONCILE:
            return
        own = {entry.event_id for journal in device.journals for entry in journal.entries}
        for (entity, entity_id), record in sorted(device.records.items()):
            is_missing = (entity, entity_id) not in device.staged_records and entity_id not in own
            if entity == "event" and is_missing and record.body:
                device.write(entity_id, "witnessed", record.body)
        device.note_incident("reconciled")

    async def _on_page(self, **page: Any) -> None:
        device = self.device
        assert (page["epoch"], page["after_version"]) == (device.epoch, device.version)
        records, version, digest = dict(device.records), device.version, device.hash
        for change in page["changes"]:
            at, bucket, entity, entity_id, operation, body, salt, commitment, _ = change
            version += 1
            assert at == version
            check_commitment(salt, body, commitment)
            digest = after_change(digest, change)
            records.pop((entity, entity_id), None)
            if operation == 1:
                records[entity, entity_id] = Record(bucket, at, body, commitment)
        assert (version, digest) == (page["to_version"], page["to_hash"])
        assert page["changes"][-1][8]
        device.records, device.version, device.hash = records, version, digest
        device.head_version = max(device.head_version, page["head_version"])
        await self._applied(device.epoch, device.version)
        for bucket in differing(records, page["digests"]):
            await self._repair(bucket)

    async def _applied(self, epoch: str, version: int, part: int = 0) -> None:
        waiting = len(self.device.waiting)
        await self._say("Applied", epoch=epoch, version=version, snapshot_part=part, queue_depth=waiting)

    async def _repair(self, bucket: str) -> None:
        self.repairs[bucket] = self.repairs.get(bucket, 0) + 1
        if self.repairs[bucket] <= 3:
            self.device.repairing.add(bucket)
            await self._say("RepairRequest", bucket=bucket)

    # -- the rest

    async def _on_heartbeat(self, **heartbeat: Any) -> None:
        device = self.device
        device.head_version = max(device.head_version, heartbeat["version"])
        if heartbeat["echo_monotonic_ms"]:
            round_trip_ms = max(0, device.monotonic_ms() - heartbeat["echo_monotonic_ms"] - heartbeat["held_ms"])
            device.note_clock(device.wall_ms() - round_trip_ms, round_trip_ms, heartbeat["wall_ms"])
            device.heartbeats += 1

    async def _on_challenge(self, nonce: bytes) -> None:
        device = self.device
        signed = f"rollcall-link-proof-v1\n{device.device_id}\n{nonce.hex()}".encode("ascii")
        await self._say("Proof", nonce=nonce, signature=device.key.sign(signed))
        device.proofs += 1


def _reopen(journal: Journal, after_seq: int) -> None:
    """The server no longer knows these answers."""
    for entry in journal.entries:
        if entry.seq > after_seq:
            entry.outcome = None
