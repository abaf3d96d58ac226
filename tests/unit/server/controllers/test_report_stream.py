"""An answer that cannot go on is left without its end."""

from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from server.controllers.mailed_links import token_in
from server.controllers.reports import ReportStream
from server.core.errors import NotEntitled, RollcallError


async def sent(error: Exception | None, version: str) -> list[Message]:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        if error is not None:
            raise error
        yield b"last"

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "asgi": {"version": "3.0", "spec_version": version}, "headers": []}
    await ReportStream(chunks())(scope, receive, send)
    return messages


async def test_a_whole_report_ends() -> None:
    assert [one.get("body") for one in await sent(None, "2.4")] == [None, b"first", b"last", b""]


@pytest.mark.parametrize("error", [NotEntitled(), RollcallError("away")])
async def test_who_loses_the_right_gets_no_end(error: Exception) -> None:
    messages = await sent(error, "2.4")
    assert [one.get("body") for one in messages] == [None, b"first"]
    assert messages[-1]["more_body"] is True


async def test_what_nobody_foresaw_is_loud() -> None:
    with pytest.raises(BaseException, match="a bug"):
        await sent(ValueError("a bug"), "2.4")


@pytest.mark.parametrize("pasted", ["abc", " abc\n", "https://x.example/reset#token=abc"])
def test_a_token_is_read_from_what_people_paste(pasted: str) -> None:
    assert token_in(pasted) == "abc"
