"""Some shipped desks in a process beside the benchmark, which lose their links and come back in the same moment.

`python -m tests.bench.crowd FOLDER...`: says `current` when all are. `unlink` ends their links; `link` dials with all
of them and is answered, when the last is current, with when each was. The end of its input ends it.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kiosk.settings import log_nowhere
from tests.bench.companion import Companion, questions, say
from tests.bench.desks import Kiosk


class Crowd:
    """The process, as the benchmark sees it."""

    def __init__(self, companion: Companion) -> None:
        """Use `Crowd.start`."""
        self._companion = companion

    @property
    def pid(self) -> int:
        """Its process."""
        return self._companion.pid

    @classmethod
    async def start(cls, folders: Sequence[Path]) -> "Crowd":
        """Start it and wait until all its kiosks are current."""
        return cls(await Companion.start("tests.bench.crowd", *folders))

    async def unlink(self) -> None:
        """End all links."""
        assert await self._companion.ask(b"unlink") == b"unlinked"

    async def link(self) -> list[int]:
        """Dial with all kiosks; when each was current (nanoseconds of the clock all processes share)."""
        return msgspec.json.decode(await self._companion.ask(b"link"), type=list[int])

    async def stop(self) -> None:
        """End it."""
        await self._companion.stop()


async def _gather(folders: Sequence[Path]) -> None:
    kiosks = [await Kiosk.open(folder) for folder in folders]
    await asyncio.gather(*map(_linked, kiosks))
    async for line in questions():
        if line == b"unlink":
            await asyncio.gather(*(kiosk.unlink() for kiosk in kiosks))
            say(b"unlinked")
        else:
            say(msgspec.json.encode(await asyncio.gather(*map(_linked, kiosks))))
    await asyncio.gather(*(kiosk.close() for kiosk in kiosks))


async def _linked(kiosk: Kiosk) -> int:
    kiosk.link()
    await kiosk.until_current()
    return time.perf_counter_ns()


if __name__ == "__main__":
    log_nowhere()
    asyncio.run(_gather([Path(folder) for folder in sys.argv[1:]]))
