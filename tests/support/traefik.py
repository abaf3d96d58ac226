"""A real Traefik with the routing of docker-compose.yml; only ports, host, certificate, upstream differ."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
SHIPPED_HOST = "${ROLLCALL_HOST}"
SHIPPED_UPSTREAM = "http://server:8000"
SHIPPED_CERTIFICATE = "/run/secrets/tls_certificate"
SHIPPED_KEY = "/run/secrets/tls_key"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 60


@dataclass(frozen=True)
class Proxy:
    """Where the running Traefik listens, under which name, and whom to trust."""

    host: str
    http_port: int
    https_port: int
    trust: ssl.SSLContext


def load_compose() -> dict[str, Any]:
    """Give docker-compose.yml as data."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return compose


def traefik_program() -> str | None:
    """Give the path of the `traefik` that the wheel installed, or of one on the PATH."""
    beside_python = Path(sysconfig.get_path("scripts")) / "traefik"
    return str(beside_python) if beside_python.exists() else shutil.which("traefik")


@contextlib.contextmanager
def running_traefik(folder: Path, *, upstream_url: str, host: str) -> Iterator[Proxy]:
    """Run Traefik in front of `upstream_url` for as long as the block takes; its log is in `folder`."""
    certificate, key = _make_certificate(folder, host)
    dynamic = folder / "dynamic.yml"
    dynamic.write_text(_dynamic_for(upstream_url, host, certificate, key), encoding="utf-8")
    http_port, https_port, ping_port = _free_ports(3)
    arguments = _arguments_for(dynamic, http_port, https_port, ping_port)
    program = traefik_program()
    assert program is not None, "traefik is not installed"
    with (folder / "traefik.log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    proxy = Proxy(host, http_port, https_port, ssl.create_default_context(cafile=str(certificate)))
    try:
        _wait_until_routing(proxy, process, folder / "traefik.log")
        yield proxy
    finally:
        process.terminate()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _dynamic_for(upstream_url: str, host: str, certificate: Path, key: Path) -> str:
    text: str = load_compose()["configs"]["traefik_dynamic"]["content"]
    replacements = {
        SHIPPED_HOST: host,
        SHIPPED_UPSTREAM: upstream_url,
        SHIPPED_CERTIFICATE: str(certificate),
        SHIPPED_KEY: str(key),
    }
    for shipped, here in replacements.items():
        assert shipped in text, f"the shipped routing no longer holds {shipped}"
        text = text.replace(shipped, here)
    return text


def _arguments_for(dynamic: Path, http_port: int, https_port: int, ping_port: int) -> list[str]:
    replacements = {
        "--entrypoints.web.address=:80": f"--entrypoints.web.address=127.0.0.1:{http_port}",
        "--entrypoints.websecure.address=:443": f"--entrypoints.websecure.address=127.0.0.1:{https_port}",
        "--providers.file.filename=/etc/traefik/dynamic.yml": f"--providers.file.filename={dynamic}",
    }
    shipped: list[str] = load_compose()["services"]["traefik"]["command"]
    assert replacements.keys() <= set(shipped), "the shipped command no longer holds what is replaced here"
    replaced = [replacements.get(argument, argument) for argument in shipped]
    return [*replaced, f"--entrypoints.traefik.address=127.0.0.1:{ping_port}"]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _wait_until_routing(proxy: Proxy, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    with https_client(proxy) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/livez").status_code == httpx.codes.OK:
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    raise AssertionError(f"Traefik does not route:\n{log.read_text(encoding='utf-8')}")


def https_client(proxy: Proxy) -> httpx.Client:
    """Give a client that reaches the proxy by its address and asks for its host by name."""
    client = httpx.Client(
        verify=proxy.trust, base_url=f"https://127.0.0.1:{proxy.https_port}", timeout=5, trust_env=False
    )

    def name_the_host(request: httpx.Request) -> None:
        request.headers["Host"] = proxy.host
        request.extensions = {**request.extensions, "sni_hostname": proxy.host}

    client.event_hooks = {"request": [name_the_host]}
    return client


def _make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "tls.crt", folder / "tls.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path
