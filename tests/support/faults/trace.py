"""strace on a running process: kills it, or lets its system calls fail, at the N-th of a kind."""

import asyncio
import contextlib
import functools
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

ATTACH_DEADLINE_S = 30.0


@functools.cache
def why_not() -> str:
    """Why strace cannot be used here, or nothing."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", sys.executable, "-c", "pass"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()[-200:]}"


def needs_strace() -> None:
    """Skip the test with a notice where there is no strace, or it may not trace."""
    if reason := why_not():
        pytest.skip(reason)


@asynccontextmanager
async def injected(
    pids: Sequence[int], log: Path, *injections: str, also: str = "", only: Path | None = None
) -> AsyncIterator[None]:
    """Inject into these processes and their children while the block runs: `fdatasync:error=EIO:when=1`.

    What the injected calls, and those named by `also`, did is written to `log`. `only`: calls on that file.
    """
    calls = ",".join(dict.fromkeys([*(each.split(":")[0] for each in injections), *filter(None, also.split(","))]))
    wanted = [part for pid in pids for part in ("-p", str(pid))] + (["-P", str(only)] if only else [])
    effects = [part for each in injections for part in ("-e", f"inject={each}")]
    tracer = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-y", "-o", str(log), "-e", f"trace={calls}", *effects, *wanted),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _attached(tracer, set(pids))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            tracer.terminate()
        await tracer.communicate()


async def _attached(tracer: asyncio.subprocess.Process, pids: set[int]) -> None:
    """Wait until the tracer said of each process that it has it; what it cannot have is gone by now."""
    assert tracer.stderr is not None
    left = {str(pid) for pid in pids}
    async with asyncio.timeout(ATTACH_DEADLINE_S):
        while left:
            line = (await tracer.stderr.readline()).decode()
            assert line, "strace ended before it traced"
            left -= set(line.replace(":", " ").replace(")", " ").split())
