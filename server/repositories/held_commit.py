"""The last transaction of a request, written and not yet committed: its answer is to be committed with it.

A request that names an Idempotency-Key leaves its answer where a repeat finds it. An answer that is stored after the
change is lost when the server dies between the two, and one that is stored before it may tell of what never was. So
`UnitsOfWork` holds back the commit of the last transaction of such a request until whoever serves it has the answer.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from server.core.database import database_errors


class Written(Protocol):
    """A transaction with everything in it; a `UnitOfWork` is one."""

    @property
    def connection(self) -> AsyncConnection:
        """What it runs on."""

    async def conclude(self) -> None:
        """Commit it."""


class HeldCommit:
    """Holds one transaction of the task that made this; what other tasks begin on its behalf is not held.

    It holds nothing until `begin`. Another transaction of the task commits what is held first, as it is: it must see
    it, and must not wait for its locks.
    """

    def __init__(self) -> None:
        """Hold for the task that runs now."""
        self._task = asyncio.current_task()
        self._holds = False
        self._open = 0
        self._held: tuple[Written, AsyncExitStack] | None = None

    def begin(self) -> None:
        """Hold the last transaction from here on."""
        self._holds = True

    @property
    def is_for_this_task(self) -> bool:
        """Whether the task that runs now is the one whose transactions are held."""
        return self._holds and asyncio.current_task() is self._task

    @contextmanager
    def counting(self) -> Iterator[bool]:
        """Note that a transaction is open; gives whether it is the outermost one."""
        self._open += 1
        try:
            yield self._open == 1
        finally:
            self._open -= 1

    def keep(self, unit: Written, stack: AsyncExitStack) -> None:
        """Hold a transaction that is written; `stack` gives its connection back."""
        self._held = unit, stack

    def give(self) -> tuple[Written, AsyncExitStack] | None:
        """Give what is held, which is not held any more; None when there is nothing."""
        held, self._held = self._held, None
        return held

    async def settle(self) -> None:
        """Commit what is held, as it is. Raises DatabaseUnavailable."""
        held = self.give()
        if held is not None:
            unit, stack = held
            with database_errors():
                async with stack:
                    await unit.conclude()

    async def drop(self) -> None:
        """Undo what is held, if anything is: nobody gets an answer."""
        held = self.give()
        if held is not None:
            with database_errors():
                await held[1].aclose()


_now: ContextVar[HeldCommit | None] = ContextVar("rollcall_held_commit", default=None)


def held_now() -> HeldCommit | None:
    """Give what holds the transactions of the task that runs now; None when nothing does, which is the rule."""
    held = _now.get()
    return held if held is not None and held.is_for_this_task else None


async def settle_held() -> None:
    """Commit what this task holds back, before it waits for what another task does in the database."""
    held = held_now()
    if held is not None:
        await held.settle()


@contextmanager
def opened() -> Iterator[HeldCommit | None]:
    """Note that a transaction of this task is open; gives what is to hold it at its end, or None to commit it."""
    held = held_now()
    if held is None:
        yield None
        return
    with held.counting() as is_outermost:
        yield held if is_outermost else None


@contextmanager
def holding() -> Iterator[HeldCommit]:
    """Let the transactions of this task be held, once `begin` was called, for as long as the block takes."""
    held: Final = HeldCommit()
    before = _now.get()
    _now.set(held)
    try:
        yield held
    finally:
        _now.set(before)
