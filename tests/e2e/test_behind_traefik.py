"""The whole way of a desk in production: TLS and a WebSocket through a real Traefik with the shipped routing."""

from pathlib import Path

import pytest

from server.demo.processes import ProgramFailed
from tests.support.traefik import running_traefik, traefik_program
from tests.support.world import running_world

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(traefik_program() is None, reason="traefik is not installed"),
]


async def test_a_desk_enrols_and_syncs_through_the_proxy_over_tls(tmp_path: Path) -> None:
    folder = tmp_path / "traefik"
    folder.mkdir()
    async with running_world(tmp_path, "Desk 1") as world:
        upstream = f"http://127.0.0.1:{world.port}"
        with running_traefik(folder, upstream_url=upstream, host="localhost") as proxy:
            address = f"https://localhost:{proxy.https_port}"
            trust = {"SSL_CERT_FILE": str(folder / "tls.crt")}
            desk = await world.enrol_desk("Far desk", server=address, environment=trust)
            try:
                await desk.start()
                here = await desk.check_in("Anu Tanaka")
                assert (await desk.confirmed(here["event_id"]))["outcome"] == "applied"
                there = await world.desks[0].check_in("Lumi Virtanen")
                await desk.until(lambda line: line["event"] == "change" and line["event_id"] == there["event_id"])
                assert (await desk.ask("status"))["link"] == "online"
            finally:
                await desk.stop()


async def test_a_desk_does_not_trust_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    folder = tmp_path / "traefik"
    folder.mkdir()
    async with running_world(tmp_path) as world:
        upstream = f"http://127.0.0.1:{world.port}"
        with (
            running_traefik(folder, upstream_url=upstream, host="localhost") as proxy,
            pytest.raises(ProgramFailed, match="cannot be reached"),
        ):
            await world.enrol_desk("Far desk", server=f"https://localhost:{proxy.https_port}")
