"""A TLS server with a trusted certificate of another host: whoever talks to it did not check the name."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

OTHER_HOST = "elsewhere.example"


class Impostor:
    """Listens as another host; `heard` is what came through TLS."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.certificate = certificate
        self.dialled = asyncio.Event()
        self.heard = bytearray()


@asynccontextmanager
async def impostor(folder: Path) -> AsyncIterator[Impostor]:
    """Run an impostor; its certificate is to be trusted by SSL_CERT_FILE."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    paths = certificate(folder, OTHER_HOST)
    context.load_cert_chain(*paths)
    found = Impostor(0, paths[0])

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.heard += await reader.read()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.dialled.set()
        try:
            await writer.start_tls(context)
            await hear(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the desk hung up, as it should
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate of a host, signed by itself, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _write(folder, host, _made(host, key, host, key, is_authority=True), key)


def issued(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate of a host that it signed; gives authority, certificate and its key."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = "An authority of the test"
    made = _made(host, key, name, authority, is_authority=False)
    trusted, _ = _write(folder, "authority", _made(name, authority, name, authority, is_authority=True), authority)
    return (trusted, *_write(folder, host, made, key))


def _made(
    host: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    subject, signed_by = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (host, issuer))
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def _write(folder: Path, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths
