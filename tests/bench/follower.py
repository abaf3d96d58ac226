"""A shipped desk in a process of its own that follows its centre and notes when what became durable in its replica.

`python -m tests.bench.follower FOLDER`: says `current` when it is, and answers each line of its input (a version) with
the durable changes since the line before, when it holds that version. The end of its input ends it.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from kiosk.link.device_store import News
from kiosk.settings import log_nowhere
from kiosk.store.records import Applied
from server.demo.processes import die_with_parent, stop
from tests.bench.desks import Kiosk
from tests.bench.stage import DEADLINE_S

LINE_BYTES_MAX = 4 * 1024 * 1024


class Follower:
    """The process, as the benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Use `Follower.start`."""
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @classmethod
    async def start(cls, folder: Path) -> "Follower":
        """Start it and wait until its replica is current."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.follower",
            str(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,
            limit=LINE_BYTES_MAX,
        )
        follower = cls(process)
        assert await follower._hear() == b"current"
        return follower

    async def durable_through(self, version: int) -> dict[int, int]:
        """When each version since the last call became durable here (nanoseconds of the clock all processes share)."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % version)
        await self._process.stdin.drain()
        return msgspec.json.decode(await self._hear(), type=dict[int, int])

    async def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await stop(self._process)

    async def _hear(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            return (await self._process.stdout.readline()).strip()


async def _follow(folder: Path) -> None:
    kiosk = await Kiosk.open(folder)
    durable: dict[int, int] = {}

    def note(news: News, now_ns: int) -> None:
        if isinstance(news, Applied):
            durable.update((change.version, now_ns) for change in news.changes)

    kiosk.link()
    await kiosk.until_current()
    kiosk.desk.on_news = note
    _say(b"current")
    asked = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(asked), os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
    )
    while line := await asked.readline():
        version = int(line)
        await kiosk.until(lambda version=version: kiosk.desk._following.knowledge.version >= version)  # type: ignore[misc]
        _say(msgspec.json.encode(durable))
        durable.clear()
    await kiosk.close()


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    log_nowhere()
    asyncio.run(_follow(Path(sys.argv[1])))
