"""A revoked desk destroys its keys first, then everything it held; nothing that waits is destroyed."""

from pathlib import Path

import pytest

from kiosk.link.device_store import DeviceStore, News, ReplicaDestroyed
from kiosk.store.database import Database
from kiosk.store.errors import ReplicaUnreadable, StorageFailed
from kiosk.store.replica import Replica
from sync import effects as do
from sync import events as on
from sync.driver import StoreUnavailable
from tests.contract.device_store import answer
from tests.support.kiosk import INCARNATION, NOON_MS, append, held, new_pen, new_replica


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replica.db"


def store_of(replica: Replica, done: list[str], news: list[News]) -> DeviceStore:
    def destroy_keys() -> None:
        done.append("keys while the files are there" if replica.database.fetch_all("SELECT 1") else "")

    async def tell(item: News) -> None:
        news.append(item)

    return DeviceStore(replica, tell, lambda: NOON_MS, new_pen(), destroy_keys)


async def test_keys_go_first_and_then_every_file(path: Path) -> None:
    replica = new_replica(Database.open(path, bytes(32)))
    entry = append(replica, 1)
    replica.journal.store_outcomes(INCARNATION, answer([entry]), NOON_MS)
    path.with_name("replica.db.check").write_bytes(b"left by a start that was cut off")
    done: list[str] = []
    news: list[News] = []
    event = await store_of(replica, done, news).perform(do.DestroyReplica())
    assert event == on.ReplicaDestroyed()
    assert done == ["keys while the files are there"]
    assert news == [ReplicaDestroyed()]
    assert list(path.parent.iterdir()) == []
    with pytest.raises(ReplicaUnreadable, match="revoked"):
        replica.progress.read()
    assert not path.exists()
    await replica.database.close()


async def test_what_waits_for_its_answer_is_not_destroyed(path: Path) -> None:
    replica = new_replica(Database.open(path, bytes(32)))
    append(replica, 1)
    done: list[str] = []
    event = await store_of(replica, done, []).perform(do.DestroyReplica())
    assert event == on.DestructionRefused(1, INCARNATION)
    assert done == []
    with pytest.raises(StorageFailed):
        replica.destroy()
    assert replica.journal.queue_depth() == 1
    await replica.database.close()


async def test_keys_that_cannot_be_destroyed_keep_the_replica(path: Path) -> None:
    replica = new_replica(Database.open(path, bytes(32)))

    def destroy_keys() -> None:
        raise StorageFailed("device.json cannot be written")

    async def tell(_: News) -> None:
        raise AssertionError("nothing happened")

    store = DeviceStore(replica, tell, lambda: NOON_MS, new_pen(), destroy_keys)
    with pytest.raises(StoreUnavailable):
        await store.perform(do.DestroyReplica())
    assert replica.progress.read().incarnation == INCARNATION
    await replica.database.close()


def test_in_memory_nothing_is_left_to_read() -> None:
    replica = new_replica()
    entry = append(replica, 1)
    replica.journal.store_outcomes(INCARNATION, answer([entry]), NOON_MS)
    replica.destroy()
    assert held(replica) == {}
    assert replica.journal.recent(-1) == []
    assert replica.journal.head().seq == 0
