"""The contract of a server store, kept by the model that the simulator runs on."""

import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.services.journal_intake import DeviceKey
from sync.change_log import ChangeDraft, Operation
from sync.effects import LoadBucket, LoadDevice, LoadPage, LoadSnapshot, RecordApplied, StoreBatch
from sync.events import BatchRefused, BatchStored, BucketLoaded, DeviceLoaded, PageLoaded, SnapshotLoaded
from sync.incidents import DeviceIncident
from sync.journal import Entry
from sync.records import REFERENCE_BUCKET, Entity, RoomRecord, encode_record
from tests.contract.server_store import ServerStoreContract
from tests.contract.server_world import STORE_NOW_MS, Row, new_id
from tests.simulation.model_store import ModelServerStore, Reader


class CenterModel(ModelServerStore):
    """A model whose children are known without having been logged."""

    def __init__(self, center_id: str, keys: dict[str, bytes]) -> None:
        numbers = itertools.count(1)
        super().__init__(
            center_id,
            epoch=new_id(),
            salt=lambda size: hashlib.sha256(str(next(numbers)).encode()).digest()[:size],
            wall_ms=lambda: STORE_NOW_MS,
            verify=lambda device_id, digest, signature: _is_signed(keys[device_id], digest, signature),
        )
        self.children: set[str] = set()

    def _children_ever(self) -> set[str]:
        return super()._children_ever() | self.children


def _is_signed(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, digest)
    except InvalidSignature:
        return False
    return True


class ModelWorld:
    """Several centres, each a model of its own, behind the interface of the one store."""

    def __init__(self) -> None:
        self._centers: dict[str, CenterModel] = {}
        self._keys: dict[str, bytes] = {}
        self._revoked: set[str] = set()

    @property
    def store(self) -> "ModelWorld":
        return self

    async def make_center(self) -> str:
        center_id = new_id()
        self._centers[center_id] = CenterModel(center_id, self._keys)
        return center_id

    async def make_child(self, center_id: str) -> str:
        child_id = new_id()
        self._centers[center_id].children.add(child_id)
        return child_id

    async def make_device(self, center_id: str, public_key: bytes) -> DeviceKey:
        device_id = new_id()
        self._keys[device_id] = public_key
        return DeviceKey(center_id, device_id)

    async def revoke(self, device: DeviceKey) -> None:
        self._revoked.add(device.device_id)

    async def put_together(self, center_id: str, rooms: Sequence[tuple[str, RoomRecord]]) -> None:
        self._centers[center_id].write(
            [_draft(room_id, Operation.PUT, encode_record(record)) for room_id, record in rooms]
        )

    async def remove_room(self, center_id: str, room_id: str) -> None:
        self._centers[center_id].write([_draft(room_id, Operation.REMOVE, b"")])

    async def rows(self, center_id: str) -> set[Row]:
        records = self._centers[center_id].state.records.values()
        return {(r.bucket, r.entity, r.entity_id, r.version, r.body) for r in records}

    async def incidents(self, center_id: str) -> dict[str, tuple[str, DeviceIncident]]:
        return dict(self._centers[center_id].state.incidents)

    async def begin_epoch(self, center_id: str) -> None:
        center = self._centers[center_id]
        center.restore(center.state, new_id())

    async def load_device(self, device: DeviceKey, effect: LoadDevice) -> DeviceLoaded:
        loaded: DeviceLoaded = self._perform(device, effect)
        return loaded

    async def store_batch(self, device: DeviceKey, entries: Sequence[Entry]) -> BatchStored | BatchRefused:
        answer: BatchStored | BatchRefused = self._perform(device, StoreBatch(tuple(entries)))
        return answer

    async def load_page(self, device: DeviceKey, effect: LoadPage) -> PageLoaded:
        page: PageLoaded = self._perform(device, effect)
        return page

    async def load_snapshot(self, device: DeviceKey, effect: LoadSnapshot) -> SnapshotLoaded:
        snapshot: SnapshotLoaded = self._perform(device, effect)
        return snapshot

    async def load_bucket(self, device: DeviceKey, effect: LoadBucket) -> BucketLoaded:
        bucket: BucketLoaded = self._perform(device, effect)
        return bucket

    def record_applied(self, device: DeviceKey, effect: RecordApplied) -> None:
        self._perform(device, effect)

    def _perform(self, device: DeviceKey, effect: object) -> Any:
        reader = Reader(device_id=device.device_id, is_entitled=device.device_id not in self._revoked)
        return self._centers[device.center_id].perform(effect, reader)


def _draft(room_id: str, operation: Operation, body: bytes) -> ChangeDraft:
    return ChangeDraft(
        bucket=REFERENCE_BUCKET,
        entity=Entity.ROOM,
        entity_id=room_id,
        operation=operation,
        body=body,
        ends_unit=False,
    )


class TestModelServerStore(ServerStoreContract):
    @pytest.fixture
    def world(self) -> ModelWorld:
        return ModelWorld()
