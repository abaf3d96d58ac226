"""Links that slice, cut, truncate, stall, crawl, or answer in the server's place: desks go on and nothing is lost.

ROLLCALL_FAULT_SEED replays the places of the cuts, ROLLCALL_FAULT_ROUNDS (default 3) says how many there are.
"""

import asyncio
import os
import time
from collections import deque
from pathlib import Path
from random import Random

import pytest

from tests.support.faults.link import Direction
from tests.support.faults.shared import Shared
from tests.support.faults.tls import OTHER_HOST, impostor
from tests.support.faults.worlds import FaultDesk, fault_world, readdress

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="module")]

SEED = int(os.environ.get("ROLLCALL_FAULT_SEED", "20261124"))
ROUNDS = int(os.environ.get("ROLLCALL_FAULT_ROUNDS", "3"))
# 15 s is the promise; the rest is for a machine that runs other tests beside this one.
NOTICED_S = 15 + 10
LINE_64_KBIT = 8_000.0


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n\r\n" + body


PORTALS = {
    "login page": _answer("200 OK", b"<html><form>Your room number?</form></html>", "Content-Type: text/html"),
    "redirect": _answer("302 Found", b"", "Location: http://login.hotel.example/"),
    "other JSON": _answer("200 OK", b'{"room": 12}', "Content-Type: application/json"),
    "sign-in wanted": _answer("511 Network Authentication Required", b""),
}


async def test_a_link_that_passes_single_bytes_delivers_everything(shared: Shared) -> None:
    world, one, two = shared
    for desk in (one, two):
        desk.link.cut()
        desk.link.reopen(up=Direction(chunk_bytes=1), down=Direction(chunk_bytes=1))
    for child in await one.absent(6):
        await one.press(child)
    await world.check_nothing_lost_or_doubled()


@pytest.mark.parametrize("ends_cleanly", [False, True], ids=["reset", "truncated"])
async def test_a_link_that_ends_in_the_middle_of_frames_loses_and_doubles_nothing(
    ends_cleanly: bool, shared: Shared
) -> None:
    luck = Random(SEED)
    print(f"ROLLCALL_FAULT_SEED={SEED} ROLLCALL_FAULT_ROUNDS={ROUNDS}")
    world, one, two = shared
    one.link.cut()
    two.link.cut()
    children = await one.absent(12)
    for number, child in enumerate(children):
        await (one, two)[number % 2].press(child)
    ends = deque(luck.randrange(1, 6_000) for _ in range(ROUNDS))
    print(f"the links end after these bytes: {list(ends)}")
    one.link.reopen(up=Direction(ends_after=ends.copy(), ends_cleanly=ends_cleanly))
    two.link.reopen(down=Direction(ends_after=ends.copy(), ends_cleanly=ends_cleanly))
    await world.check_nothing_lost_or_doubled()
    assert min(one.link.accepted, two.link.accepted) > 1


async def test_a_half_open_link_is_noticed_within_15_s_and_dialled_again(shared: Shared) -> None:
    world, one, two = shared
    children = await one.absent(2)
    dialled = {desk.name: desk.link.accepted for desk in (one, two)}
    one.link.stall("up")  # the server hears nothing from desk 1
    two.link.stall("down")  # desk 2 hears nothing from the server
    stalled_at = time.monotonic()
    for desk, child in zip((one, two), children, strict=True):
        await desk.press(child)

    async def dialled_again(desk: FaultDesk) -> float:
        async with asyncio.timeout(NOTICED_S):
            while desk.link.accepted == dialled[desk.name]:
                await asyncio.sleep(0.05)
        return time.monotonic() - stalled_at

    noticed_s = await asyncio.gather(dialled_again(one), dialled_again(two))
    print(f"noticed after {noticed_s[0]:.1f} s (up) and {noticed_s[1]:.1f} s (down)")
    await world.check_nothing_lost_or_doubled()


async def test_a_link_of_64_kbit_per_s_carries_a_whole_snapshot_and_the_morning(shared: Shared) -> None:
    world, one, two = shared
    await two.stop()
    for left in two.data.glob("replica.db*"):
        left.unlink()
    two.link.reopen(up=Direction(bytes_per_s=LINE_64_KBIT), down=Direction(bytes_per_s=LINE_64_KBIT))
    children = await one.absent(10)
    await two.start()
    for child in children[:5]:
        await one.press(child)
    await two.until(lambda line: line["event"] == "resync")
    for child in children[5:]:
        await two.press(child)
    await world.check_nothing_lost_or_doubled()


async def test_a_captive_portal_counts_as_offline_and_is_sent_no_credential(shared: Shared) -> None:
    world, one, _ = shared
    children = await one.absent(len(PORTALS))
    for (kind, answer), child in zip(PORTALS.items(), children, strict=True):
        await one.stop()
        one.link.seen.clear()
        one.link.become(lambda _request, answer=answer: answer)  # type: ignore[misc]
        since = len(one.lines)
        await one.start()
        await one.until(lambda line: line.get("link") == "offline", since=since)
        await one.press(child)
        seen = bytes(one.link.seen).lower()
        assert b"/nonce" in seen, kind
        assert b"authorization" not in seen, kind
        assert b"signature" not in seen, kind
        one.link.cut()
        one.link.reopen()
        await one.linked(since=since)
    await world.check_nothing_lost_or_doubled()


async def test_a_certificate_of_another_host_counts_as_offline_and_hears_nothing(tmp_path: Path) -> None:
    async with fault_world(tmp_path) as (world, one, _), impostor(tmp_path) as other:
        (child,) = await one.absent(1)
        await one.stop()
        address = f"http://127.0.0.1:{one.link.port}"
        readdress(one.data, f"https://127.0.0.1:{other.port}")
        one.environment["SSL_CERT_FILE"] = str(other.certificate)
        since = len(one.lines)
        await one.start()
        async with asyncio.timeout(NOTICED_S):
            await other.dialled.wait()
        await one.until(lambda line: line.get("link") == "offline", since=since)
        await one.press(child)
        assert bytes(other.heard) == b"", OTHER_HOST
        await one.stop()
        readdress(one.data, address)
        await one.start()
        await world.check_nothing_lost_or_doubled()
