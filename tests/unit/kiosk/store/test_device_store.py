"""The contract of a device's store, on memory and on a real encrypted file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.store.database import Database
from kiosk.store.replica import Replica
from tests.contract.device_store import DeviceStoreContract
from tests.contract.device_store_journals import JournalsContract
from tests.contract.device_store_snapshots import SnapshotsContract
from tests.support.kiosk import new_replica


class TestInMemory(DeviceStoreContract, JournalsContract, SnapshotsContract):
    @pytest.fixture
    def replica(self) -> Replica:
        return new_replica()


class TestOnDisk(DeviceStoreContract, JournalsContract, SnapshotsContract):
    @pytest.fixture
    def replica(self, tmp_path: Path) -> Iterator[Replica]:
        replica = new_replica(Database.open(tmp_path / "replica.db", bytes(range(32))))
        yield replica
        replica.database.close_now()
