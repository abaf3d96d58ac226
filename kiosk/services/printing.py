"""Handing bytes to the print command of whoever set the desk up: no shell, a time limit, and never on anybody's way."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

from kiosk.log import Log

log = Log()


class PrintFailed(Exception):
    """The command did not take the job; the message says why, for the log of the desk."""


class PrintCutOff(PrintFailed):
    """It took too long and was ended: what came out of it nobody knows."""


async def hand_over(command: Sequence[str], job: bytes, time_limit_s: float) -> None:
    """Run the command with a job on its standard input, in a process of its own; what it says is not read.

    One that takes too long, or whose caller is cancelled, is killed with everything it started.

    Raises:
        PrintFailed: there is no such program, or it ended with a failure.
        PrintCutOff: it took too long.

    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise PrintFailed(f"cannot be started ({type(error).__name__})") from error
    try:
        async with asyncio.timeout(time_limit_s):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await process.communicate(job)
            await process.wait()
    except TimeoutError:
        raise PrintCutOff(f"took longer than {time_limit_s:g} s") from None
    finally:
        if process.returncode is None:
            await _end(process)
    if process.returncode:
        raise PrintFailed(f"ended with {process.returncode}")


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
