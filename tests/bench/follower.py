"""A shipped desk in a process of its own that follows its centre and notes when what became durable in its replica.

`python -m tests.bench.follower FOLDER`: says `current` when it is, and answers each line of its input (a version) with
the durable changes since the line before, when it holds that version. The end of its input ends it.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from kiosk.link.device_store import News
from kiosk.settings import log_nowhere
from kiosk.store.records import Applied
from tests.bench.companion import Companion, questions, say
from tests.bench.desks import Kiosk


class Follower:
    """The process, as the benchmark sees it."""

    def __init__(self, companion: Companion) -> None:
        """Use `Follower.start`."""
        self._companion = companion

    @property
    def pid(self) -> int:
        """Its process."""
        return self._companion.pid

    @classmethod
    async def start(cls, folder: Path) -> "Follower":
        """Start it and wait until its replica is current."""
        return cls(await Companion.start("tests.bench.follower", folder))

    async def durable_through(self, version: int) -> dict[int, int]:
        """When each version since the last call became durable here (nanoseconds of the clock all processes share)."""
        return msgspec.json.decode(await self._companion.ask(b"%d" % version), type=dict[int, int])

    async def stop(self) -> None:
        """End it."""
        await self._companion.stop()


async def _follow(folder: Path) -> None:
    kiosk = await Kiosk.open(folder)
    durable: dict[int, int] = {}

    def note(news: News, now_ns: int) -> None:
        if isinstance(news, Applied):
            durable.update((change.version, now_ns) for change in news.changes)

    kiosk.link()
    await kiosk.until_current()
    kiosk.desk.on_news = note
    async for line in questions():
        version = int(line)
        await kiosk.until(lambda version=version: kiosk.desk._following.knowledge.version >= version)  # type: ignore[misc]
        say(msgspec.json.encode(durable))
        durable.clear()
    await kiosk.close()


if __name__ == "__main__":
    log_nowhere()
    asyncio.run(_follow(Path(sys.argv[1])))
