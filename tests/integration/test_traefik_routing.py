"""The routing that docker-compose.yml ships, exercised with a real Traefik before a small echo server."""

import contextlib
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.support.traefik import Proxy, https_client, running_traefik, traefik_program

pytestmark = pytest.mark.skipif(traefik_program() is None, reason="no traefik wheel for this system")

HOST = "rollcall.test"
SUBPROTOCOL = Subprotocol("rollcall.sync.v1")
FRAME_BYTES_MAX = 256 * 1024
START_DEADLINE_S = 60

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Say what arrived: a request as JSON; a socket gets its headers, then every frame as it came."""
    if scope["type"] == "websocket":
        await _echo_socket(scope, receive, send)
    elif scope["type"] == "http":
        await _echo_request(scope, send)


async def _echo_request(scope: Message, send: Send) -> None:
    away = scope["path"] == "/away"
    headers = [(b"content-type", b"application/json"), *([(b"retry-after", b"7")] if away else [])]
    await send({"type": "http.response.start", "status": 503 if away else 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_seen(scope)).encode()})


async def _echo_socket(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    await send({"type": "websocket.send", "text": json.dumps(_seen(scope))})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


def _seen(scope: Message) -> dict[str, Any]:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    return {"path": scope["path"], "scheme": scope["scheme"], "headers": headers}


@pytest.fixture(scope="module")
def upstream_url() -> Iterator[str]:
    """Run the echo server; a suite for another server overrides this one fixture."""
    server = uvicorn.Server(uvicorn.Config(echo, port=0, log_level="warning", lifespan="off", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + START_DEADLINE_S
        while not server.started and time.monotonic() < deadline:
            thread.join(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def proxy(upstream_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running_traefik(tmp_path_factory.mktemp("traefik"), upstream_url=upstream_url, host=HOST) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with https_client(proxy) as open_client:
        yield open_client


def test_a_request_over_tls_reaches_the_server(client: httpx.Client) -> None:
    seen = client.get("/api/v1/attendance", headers={"Authorization": "Bearer abc"}).json()
    assert seen["path"] == "/api/v1/attendance"
    assert seen["headers"]["authorization"] == "Bearer abc"
    assert seen["headers"]["host"] == HOST
    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_a_forged_forwarding_header_does_not_reach_the_server(client: httpx.Client) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"}
    seen = client.get("/", headers=forged).json()["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-host"], seen["x-forwarded-proto"]) == (
        "127.0.0.1",
        HOST,
        "https",
    )


def test_plain_http_is_sent_to_tls_and_never_to_the_server(proxy: Proxy) -> None:
    url = f"http://127.0.0.1:{proxy.http_port}/docs?a=1"
    answer = httpx.get(url, headers={"Host": HOST}, trust_env=False)
    assert answer.status_code in {301, 308}
    assert answer.headers["location"] == f"https://{HOST}:{proxy.https_port}/docs?a=1"


def test_every_answer_carries_the_security_headers(client: httpx.Client) -> None:
    headers = client.get("/").headers
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


def test_another_host_name_gets_nothing(client: httpx.Client, proxy: Proxy) -> None:
    url = f"https://127.0.0.1:{proxy.https_port}/"
    with httpx.Client(verify=proxy.trust, trust_env=False) as stranger:
        answer = stranger.get(url, headers={"Host": "other.test"}, extensions={"sni_hostname": HOST})
    assert answer.status_code == 404
    assert client.get("/").status_code == 200


def test_an_answer_that_says_come_back_later_passes_unchanged(client: httpx.Client) -> None:
    answer = client.get("/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert client.get("/").status_code == 200


def test_tls_before_1_2_is_refused(proxy: Proxy) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with httpx.Client(verify=old, trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get(f"https://127.0.0.1:{proxy.https_port}/")


async def test_a_socket_keeps_its_authorization_and_its_subprotocol(proxy: Proxy) -> None:
    async with _socket(proxy, token="Bearer device-token") as socket:
        assert socket.subprotocol == SUBPROTOCOL
        seen = json.loads(await socket.recv())
    assert seen["path"] == "/api/v1/sync"
    assert seen["headers"]["authorization"] == "Bearer device-token"


async def test_binary_frames_pass_whole_in_both_directions(proxy: Proxy) -> None:
    async with _socket(proxy, token="Bearer device-token") as socket:
        await socket.recv()
        for frame in (b"\x00", bytes(range(256)), b"\xc1" * FRAME_BYTES_MAX):
            await socket.send(frame)
            assert await socket.recv() == frame


async def test_a_socket_for_another_host_is_refused(proxy: Proxy) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with _socket(proxy, token="", host="other.test"):
            pass
    assert refusal.value.response.status_code == 404


@contextlib.asynccontextmanager
async def _socket(proxy: Proxy, *, token: str, host: str = HOST) -> AsyncIterator[ClientConnection]:
    async with connect(
        f"wss://{host}/api/v1/sync",
        host="127.0.0.1",
        port=proxy.https_port,
        ssl=proxy.trust,
        server_hostname=HOST,
        additional_headers={"Authorization": token},
        subprotocols=[SUBPROTOCOL],
        max_size=FRAME_BYTES_MAX,
        proxy=None,
    ) as opened:
        yield opened
