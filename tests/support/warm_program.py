"""A server or a kiosk that has loaded its code and opened nothing: what it forks is that program, sooner.

    python -m tests.support.warm_program server SOCKET PID_OF_THE_CONTROLLER

To load the code is most of what a start costs, and tests that kill programs start them hundreds of times. A fork has
its own memory, descriptors, session, directory and environment, and dies of SIGKILL like any other. What differs from
`python -m server`: the kernel knows it by the command line of this process, and what the interpreter itself reads of
the environment before it runs (PYTHON*, LD_PRELOAD) is that of this process. `programs.py` asks for forks.

It ends with the process that controls the run. Who asked for a fork holds a connection: when that ends, the fork is
sent SIGTERM, as `die_with_parent` has it.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

# What a program loads before it does anything; how much else stands here changes only how fast a fork is.
LOADED: Final = {
    "server": (
        *("server.asgi", "server.cli", "server.wiring", "server.operation", "server.web.typed_client"),
        *("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg", "uvicorn.protocols.http.auto", "uvicorn.loops.uvloop"),
        *("uvicorn.protocols.websockets.websockets_sansio_impl", "uvicorn.lifespan.off", "typer._adapters"),
        *("anyio._backends._asyncio", "apscheduler.executors.asyncio", "encodings.idna"),
    ),
    "kiosk": (
        *(
            "kiosk.cli",
            "kiosk.agent",
            "kiosk.log",
            "kiosk.link.websocket",
            "kiosk.services.enrolment",
            "typer._adapters",
        ),
        *("httpx", "h11", "anyio._backends._asyncio", "encodings.idna", "structlog"),
        "websockets.asyncio.client",
    ),
}
REQUEST_BYTES_MAX: Final = 1 << 17
_PR_SET_PDEATHSIG: Final = 1


class Request(NamedTuple):
    """What is asked for: a module with its arguments, and where it finds itself."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str


class WarmProgram:
    """Forks on request until it is told to end; `serve` returns in the fork, with the request."""

    def __init__(self, listener: socket.socket, controller_pid: int) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._controller = os.pidfd_open(controller_pid)
        self._children: dict[int, tuple[int, socket.socket]] = {}  # by the descriptor of the process
        self._selector.register(listener, selectors.EVENT_READ, self._answer)
        self._selector.register(self._controller, selectors.EVENT_READ, self._end)
        self._is_over = False

    def serve(self) -> Request | None:
        """Fork for each request; gives it in the fork, and nothing in this process once it is to end."""
        while not self._is_over:
            for key, _ in self._selector.select():
                act: Callable[[Any], Request | None] = key.data
                if (request := act(key.fileobj)) is not None:
                    return request
        return None

    def _end(self, _controller: int) -> None:
        self._is_over = True

    def _answer(self, listener: socket.socket) -> Request | None:
        connection, _ = listener.accept()
        message, descriptors, *_ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 3)
        if not message:  # whoever asked was ended
            connection.close()
            return None
        assert threading.active_count() == 1, threading.enumerate()
        pid = os.fork()
        if pid == 0:
            self._leave()
            request = Request(**json.loads(message))
            with connection:
                _become(request, descriptors)
                connection.send(json.dumps({"pid": os.getpid()}).encode())
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        process = os.pidfd_open(pid)
        self._children[process] = (pid, connection)
        self._selector.register(process, selectors.EVENT_READ, self._tell_the_end)
        self._selector.register(connection, selectors.EVENT_READ, self._end_child)
        return None

    def _leave(self) -> None:
        """Close what the fork has no use for; the selector as it is, since it is shared with the parent."""
        self._selector.close()
        self._listener.close()
        os.close(self._controller)
        for process, (_, connection) in self._children.items():
            os.close(process)
            connection.close()

    def _tell_the_end(self, process: int) -> None:
        pid, connection = self._children.pop(process)
        _, status = os.waitpid(pid, 0)
        self._selector.unregister(process)
        os.close(process)
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection)
        with contextlib.suppress(OSError):
            connection.send(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode())
        connection.close()

    def _end_child(self, connection: socket.socket) -> None:
        """Whoever asked for it is gone, or it ended in the same moment."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection)
        for pid, its_own in self._children.values():
            if its_own is connection:
                os.kill(pid, signal.SIGTERM)


def _become(request: Request, descriptors: list[int]) -> None:
    """Leave everything of the parent behind but its code."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in set(descriptors):
        os.close(descriptor)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    os.chdir(request.folder)


class OrderlyEnd:
    """The end of a program that was not killed, without the half of a start that it takes to forget what was loaded."""

    def __init__(self) -> None:
        self.status: object = None

    def leave(self) -> None:
        """Called when threads have ended and all others were called; whoever has another status ends as usual."""
        if isinstance(self.status, int):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.status)


def load(program: str) -> None:
    """Load the code of a program, with the collector set as its own `__main__` sets it."""
    gc.set_threshold(50_000, 20, 50)
    for module in LOADED[program]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a fork need not copy what it inherited


def main() -> None:
    program, path, controller_pid = sys.argv[1:]
    end = OrderlyEnd()
    atexit.register(end.leave)  # before anything is loaded, and so after everything that what is loaded does at its end
    load(program)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    warm = WarmProgram(listener, int(controller_pid))
    print("ready", flush=True)
    with Path(os.devnull).open("r+b", buffering=0) as nowhere:
        os.dup2(nowhere.fileno(), 1)
    request = warm.serve()
    if request is None:
        os._exit(0)
    sys.argv = request.arguments
    try:
        runpy.run_module(request.arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as exiting:
        end.status = exiting.code
        raise
    end.status = 0


if __name__ == "__main__":
    main()
