"""Server-sent events (WHATWG HTML, section 9.2) of what somebody watches, until the stream or its viewer ends."""

import asyncio
import json
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
        super().__init__(iter(()), headers=HEADERS)
        self._hub = hub
        self._viewer = viewer
        self._heartbeat_s = heartbeat_s
        self._send_deadline_s = send_deadline_s
        self._ending_s = ending_s
        # When something was sent last, and since when something is being sent (seconds of the loop's clock).
        self._sent_s = 0.0
        self._sending_s: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI wants it
        """Send until the stream is at its end, the client is gone, or it does not read."""
        self._sent_s = asyncio.get_running_loop().time()
        sending, watching, *_ = tasks = [
            asyncio.create_task(self._show(send)),
            asyncio.create_task(self._watch()),
            asyncio.create_task(self.listen_for_disconnect(receive)),
            asyncio.create_task(self._cut()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_unread = watching.done() and not sending.done()
        finally:
            self._hub.leave(self._viewer)
            for task in tasks:
                task.cancel()
            sent, *_ = await asyncio.gather(*tasks, return_exceptions=True)
        if is_unread or isinstance(sent, OSError):
            _log.info("live_viewer_gone", reason="Unread" if is_unread else type(sent).__name__)
        elif isinstance(sent, Exception):
            raise sent

    async def _show(self, send: Send) -> None:
        loop = asyncio.get_running_loop()

        async def timed(message: Message) -> None:
            self._sending_s = loop.time()
            await send(message)
            self._sent_s, self._sending_s = self._sending_s, None

        await timed({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await timed(_body(_OPENING))
        while not isinstance(news := await self._viewer.news(), Ending):
            await timed(_body(_NOTHING_NEW if news is None else news.data))
        await timed(_body(format_sse_event(event="bye", data_str=json.dumps({"reason": news.value}))))
        await timed({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self) -> None:
        """Let a silent stream say that nothing is new, and return when the client does not read.

        One timer that looks now and then, and none that is set and taken back with each board of each viewer.
        """
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            if self._sending_s is not None:
                left_s = self._sending_s + self._send_deadline_s - now_s
                if left_s <= 0:
                    return
            else:
                left_s = self._sent_s + self._heartbeat_s - now_s
                if left_s <= 0:
                    self._viewer.wake()
                    left_s = self._heartbeat_s
            await asyncio.sleep(min(left_s, self._send_deadline_s))

    async def _cut(self) -> None:
        """End it for a viewer that is to go and does not take the word that says so."""
        await self._viewer.has_ended.wait()
        await asyncio.sleep(self._ending_s)


def _body(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}
