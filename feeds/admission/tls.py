"""TLS: certificates from files, or a self-signed one made at the start."""

import datetime
import hashlib
import ipaddress
import os
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Tls", "load_tls", "make_self_signed", "make_tls"]

_VALID = datetime.timedelta(days=397)  # the longest that browsers accept


@dataclass(frozen=True, slots=True)
class Tls:
    """How the server speaks TLS."""

    context: ssl.SSLContext
    certificate: str | None = None
    """The certificate that was made for this run, as PEM: what a client has to trust."""

    @property
    def fingerprint(self) -> str | None:
        """The SHA-256 of that certificate, as browsers show it."""
        if self.certificate is None:
            return None
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate)).digest().hex(":").upper()


def make_tls(
    cert: Path | str | None, key: Path | str | None, self_signed: bool, host: str
) -> Tls | None:
    """Do what the options say; None: no TLS. Raises as the functions below."""
    if self_signed:
        return make_self_signed(host)
    return None if cert is None or key is None else load_tls(Path(cert), Path(key))


def load_tls(cert: Path, key: Path) -> Tls:
    """
    Read a certificate, with its chain, and its key.

    Raises:
        ConfigError: one can't be read, or they don't belong together.
    """
    for option, path in (("tls-cert", cert), ("tls-key", key)):
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"{option}: can't read {str(path)!r}: {error.strerror or error}"
            ) from error
        if b"-----BEGIN " not in text:
            raise ConfigError(f"{option}: {str(path)!r} is no PEM file")
    context = _context()
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        why = {
            "KEY_VALUES_MISMATCH": f"the key in {str(key)!r} isn't that of the certificate in {str(cert)!r}",
            "EE_KEY_TOO_SMALL": f"the key in {str(key)!r} is too short to be safe",
        }.get(
            error.reason or "",
            f"{str(cert)!r} and {str(key)!r} can't be used: {error.reason or error}",
        )
        raise ConfigError(f"tls-cert and tls-key: {why}") from error
    return Tls(context)


def make_self_signed(host: str) -> Tls:
    """
    Make a certificate for this machine, and load it. Its key is gone from the disk when this returns.

    Args:
        host: a further name or address that the server is known by.

    Raises:
        ConfigError: the package that makes certificates isn't there.
    """
    try:
        certificate, key, password = _issue(_names(host))
    except ImportError as error:
        raise ConfigError(
            "tls-self-signed needs the package cryptography: pip install 'tickerplant[tls]'"
        ) from error
    context = _context()
    # Python's ssl reads keys from files only. The folder is ours alone, and the file is encrypted too.
    with tempfile.TemporaryDirectory(prefix="tickerplant-") as folder:
        file = Path(folder) / "key.pem"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(key + certificate)
        context.load_cert_chain(file, password=password)
    return Tls(context, certificate.decode())


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    # Without this, OpenSSL asks on the terminal.
    raise ConfigError("tls-key: the key is encrypted; give it without a password")


def _names(host: str) -> list[str]:
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), host]
    anywhere = ("", "0.0.0.0", "::")  # noqa: S104  compared, not bound to
    return list(dict.fromkeys(n for n in names if n not in anywhere and n.isascii()))


def _issue(names: list[str]) -> tuple[bytes, bytes, bytes]:
    """Give a certificate, its encrypted key, and the password, the first two as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tickerplant, self-signed")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - datetime.timedelta(hours=1),
        now + _VALID,
    )
    for extension, critical in _extensions(names, key.public_key()):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    password = secrets.token_hex(24).encode()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret, password


def _extensions(
    names: list[str], key: "ec.EllipticCurvePublicKey"
) -> "Iterator[tuple[x509.ExtensionType, bool]]":
    """Give what the certificate says of itself, and whether a reader must understand it."""
    from cryptography import x509

    alternatives: list[x509.GeneralName] = []
    for name in names:
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    yield x509.SubjectAlternativeName(alternatives), False
    # No authority: who trusts it trusts this server, and nothing that it could sign.
    yield x509.BasicConstraints(ca=False, path_length=None), True
    usages = "content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    others = dict.fromkeys(f"{usages} crl_sign encipher_only decipher_only".split(), False)
    yield x509.KeyUsage(digital_signature=True, **others), True
    yield x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False
    own = x509.SubjectKeyIdentifier.from_public_key(key)
    yield own, False
    yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), False
