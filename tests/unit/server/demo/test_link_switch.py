"""The link that can be cut, on real sockets."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from server.demo.link_switch import LinkSwitch


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def switch() -> AsyncIterator[LinkSwitch]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, LinkSwitch(server.sockets[0].getsockname()[1]) as switch:
        yield switch


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"good morning")
    await writer.drain()
    async with asyncio.timeout(5):
        return await reader.read(1024)


async def test_bytes_pass_both_ways(switch: LinkSwitch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", switch.port)
    assert await _say(reader, writer) == b"good morning"
    writer.close()


async def test_a_cut_ends_connections_and_refuses_new_ones(switch: LinkSwitch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", switch.port)
    await _say(reader, writer)
    switch.cut()
    async with asyncio.timeout(5):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await _knock(switch.port)


async def _knock(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"anybody?")
    async with asyncio.timeout(5):
        await reader.readexactly(1)


async def test_an_end_that_vanishes_takes_the_other_end_with_it(switch: LinkSwitch) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
    reader, writer = await asyncio.open_connection("127.0.0.1", switch.port)
    await _say(reader, writer)
    socket_of_writer = writer.get_extra_info("socket")
    socket_of_writer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    async with asyncio.timeout(5):
        while switch.connections:
            await asyncio.sleep(0.01)
    assert complaints == []


async def test_a_restored_link_passes_again(switch: LinkSwitch) -> None:
    switch.cut()
    switch.restore()
    reader, writer = await asyncio.open_connection("127.0.0.1", switch.port)
    assert await _say(reader, writer) == b"good morning"
    writer.close()
