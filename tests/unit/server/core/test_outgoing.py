"""What is sent to an address that people named, over real sockets."""

import asyncio
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Final

import pytest

from server.core import outgoing
from server.core.outgoing import NO_ANSWER, NOT_ALLOWED, Answered, Outgoing
from tests.support.faults.tls import issued
from tests.support.receiver import receiver

# As a server would, whose system trusts one authority more.
POSTS: Final = """
import asyncio, sys
from server.core.outgoing import Outgoing
print(asyncio.run(Outgoing(private=True).post(sys.argv[1], b"{}", {"webhook-id": "log_1"})))
"""


async def test_a_receiver_is_told_and_its_status_counts_whatever_else_it_says() -> None:
    async with receiver() as there:
        out = Outgoing(private=True)
        there.answers = [200, 500, 410, there.redirect, there.talk]
        headers = {"content-type": "application/json", "webhook-id": "log_1"}
        found = [await out.post(f"{there.url}/a?b=c", b'{"a": 1}', headers) for _ in range(5)]
        assert [one.status for one in found] == [200, 500, 410, 307, 200]
        await asyncio.wait_for(there.left.wait(), 10)  # a receiver that talks for ever is left
        assert len(there.got) == 5  # and a redirect is not followed
        sent, body = there.got[0]
        assert (sent["webhook-id"], sent["content-type"], body) == ("log_1", "application/json", b'{"a": 1}')


async def test_over_https_only_who_has_a_certificate_for_its_name_is_told(tmp_path: Path) -> None:
    authority, certificate, key = issued(tmp_path, "localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with receiver(tls) as there:
        trusting = Outgoing(private=True, trust=ssl.create_default_context(cafile=str(authority)))
        assert await trusting.post(f"{there.url}/a", b"{}", {"webhook-id": "log_1"}) == Answered(204)
        ((headers, body),) = there.got
        assert (headers["webhook-id"], headers["host"], body) == ("log_1", there.url.removeprefix("https://"), b"{}")
        # Another name than the certificate's, and an authority that the system does not know.
        wrong = Answered(None, "the certificate is not good")
        assert await trusting.post(there.url.replace("localhost", "127.0.0.1"), b"{}", {}) == wrong
        assert await Outgoing(private=True).post(there.url, b"{}", {}) == wrong
        assert len(there.got) == 1
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", POSTS, there.url, env={**os.environ, "SSL_CERT_FILE": str(authority)},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert (out.decode().strip(), len(there.got)) == (str(Answered(204)), 2)


async def test_a_receiver_that_hangs_is_left_at_the_deadline() -> None:
    async with receiver() as there:
        there.answers = [there.hang]
        assert await Outgoing(private=True, deadline_s=0.2).post(there.url, b"", {}) == Answered(None, NO_ANSWER)
        await asyncio.wait_for(there.left.wait(), 10)


async def test_nobody_is_told_at_an_address_that_may_not_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"rebound.example.org": ["10.0.0.1"], "local.example.org": ["169.254.169.254"], "here.example.org": []}
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_more: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with receiver() as there:
        port = there.url.rpartition(":")[2]
        closed = Outgoing(private=False)
        for url in (there.url, f"https://127.0.0.1:{port}/", *(f"https://{name}:{port}/" for name in names)):
            assert await closed.post(url, b"", {}) == Answered(None, NOT_ALLOWED), url
        for name in ("local.example.org", "here.example.org"):
            assert await Outgoing(private=True).post(f"https://{name}/", b"", {}) == Answered(None, NOT_ALLOWED)
        assert there.got == []
    assert len(asked) == 5


async def test_why_there_was_no_answer_is_said_in_words_of_ours() -> None:
    out = Outgoing(private=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await out.post(f"http://127.0.0.1:{port}/", b"", {}) == Answered(None, "no connection")
    async with receiver() as there:  # which speaks no TLS
        secure = there.url.replace("http://", "https://")
        assert await out.post(secure, b"", {}) == Answered(None, "no encrypted connection")
        assert await out.post("nonsense", b"", {}) == Answered(None, NOT_ALLOWED)

    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await out.post(f"http://127.0.0.1:{port}/", b"", {}) == Answered(None, "the answer is no HTTP")
    assert outgoing.DEADLINE_S == 10
