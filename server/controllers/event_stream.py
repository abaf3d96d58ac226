"""Server-sent events (WHATWG HTML, section 9.2) of what somebody watches, until the stream or its viewer ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

import structlog
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Message, Receive, Scope, Send

from server.services.live_hub import HEARTBEAT_S, Ending, LiveHub, Viewer

# What a viewer leaves unread for so long ends its stream; the newest board is worth more than an old one.
SEND_DEADLINE_S: Final = 20.0
# How long the last event may take: two of the five seconds in which a server that stops has sent everybody away.
ENDING_S: Final = 2.0
RETRY_MS: Final = 2_000
# Neither a cache nor a proxy keeps it, or holds it back.
HEADERS: Final = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}
_OPENING: Final = format_sse_event(comment="rollcall", retry=RETRY_MS)
# An event beside the comment: a page sees no comments, and must know that what it shows still holds.
_NOTHING_NEW: Final = format_sse_event(comment="nothing new") + format_sse_event(event="still", data_str="{}")

_log = structlog.get_logger(__name__)


class EventStream(EventSourceResponse):
    """The stream of one viewer; when it ends, for whatever reason, the viewer leaves the hub."""

    def __init__(
        self,
        hub: LiveHub,
        viewer: Viewer,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        send_deadline_s: float = SEND_DEADLINE_S,
        ending_s: float = ENDING_S,
    ) -> None:
        """Show `viewer` what it gets, and a comment when there is nothing for `heartbeat_s` (seconds)."""
        super().__init__(_frames(viewer, heartbeat_s), headers=HEADERS)
        self._hub = hub
        self._viewer = viewer
        self._send_deadline_s = send_deadline_s
        self._ending_s = ending_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI wants it
        """Send until the stream is at its end, the client is gone, or it does not read."""

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(self._send_deadline_s):
                await send(message)

        tasks = [
            asyncio.create_task(self.stream_response(bounded)),
            asyncio.create_task(self.listen_for_disconnect(receive)),
            asyncio.create_task(self._cut()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(self._viewer)
            for task in tasks:
                task.cancel()
            sent, *_ = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(sent, TimeoutError | OSError):
            _log.info("live_viewer_gone", reason=type(sent).__name__)
        elif isinstance(sent, Exception):
            raise sent

    async def _cut(self) -> None:
        """End it for a viewer that is to go and does not take the word that says so."""
        await self._viewer.has_ended.wait()
        await asyncio.sleep(self._ending_s)


async def _frames(viewer: Viewer, heartbeat_s: float) -> AsyncIterator[bytes]:
    yield _OPENING
    while True:
        news = await viewer.news(heartbeat_s)
        if news is None:
            yield _NOTHING_NEW
        elif isinstance(news, Ending):
            yield format_sse_event(event="bye", data_str=json.dumps({"reason": news.value}))
            return
        else:
            yield news.data
