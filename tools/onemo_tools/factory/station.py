# SPDX-License-Identifier: MIT
"""What LINE.toml describes, put together: records, CA, the line's own server, slots."""

import ipaddress
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from onemo_tools.factory import authority, database
from onemo_tools.factory.authority import Authority, AuthorityError
from onemo_tools.factory.claims import Claims
from onemo_tools.factory.keys import DeviceKey
from onemo_tools.factory.proving import ProvingServer
from onemo_tools.factory.records import Records, serial_text
from onemo_tools.factory.settings import Settings
from onemo_tools.factory.slot import Connect, Product, Slot
from onemo_tools.store.repl import Session

_SERVER_DAYS = 30
Secret = Callable[[str, str], str]  # (variable of the environment, what is asked for)


@dataclass
class Station:
    """A station that is ready to serve boards."""

    settings: Settings
    records: Records
    batch_id: int
    slots: list[tuple[Slot, str]]


@contextmanager
def station(settings: Settings, secret: Secret, connect: Connect = Session) -> Iterator[Station]:
    """Opens all that a line needs; SettingsError, AuthorityError, RecordsError, OSError."""
    with ExitStack() as stack:
        signer = open_authority(settings, secret)
        url = database.url_of(settings.records, settings.folder)
        records = stack.enter_context(Records.open(url, settings.station, make=True))
        planned = settings.batch
        batch = records.plan(planned.name, planned.units, planned.device_name, planned.label)
        records.check_clock()
        records.start_run(
            batch.id, ca=signer.fingerprint, algorithm=settings.certificate.algorithm
        )
        ca = _trusted(settings, signer)
        server = stack.enter_context(_server(settings, signer, records, ca))
        product = Product(
            ca=ca,
            names=settings.module.names,
            algorithm=settings.certificate.algorithm,
            days=settings.certificate.days,
            organization=settings.certificate.organization,
            ssl_id=settings.module.ssl_id,
            apn=settings.module.apn,
            host=settings.prove.host,
            port=settings.prove.port or server.port,
        )
        claims = Claims(records, batch.id)
        slots = [
            (Slot(name, records, claims, signer, server, product, connect), port)
            for name, port in settings.slots.items()
        ]
        yield Station(settings, records, batch.id, slots)


def open_authority(settings: Settings, secret: Secret) -> Authority:
    """The CA, once its passphrase or PIN was given. AuthorityError."""
    certificates = authority.load_certificates(settings.authority.certificate)
    if settings.authority.pkcs11 is not None:
        from onemo_tools.factory.pkcs11_token import from_token

        pin = secret("ONEMO_CA_PIN", "PIN of the CA's token")
        return from_token(certificates, settings.authority.pkcs11, pin)
    key = settings.authority.key or Path()
    if not key.exists():
        raise AuthorityError(f"there is no {key}, which is to be the CA's encrypted key")
    passphrase = secret("ONEMO_CA_PASSPHRASE", "Passphrase of the CA's key")
    return authority.from_file(certificates, key, passphrase.encode())


def _trusted(settings: Settings, signer: Authority) -> bytes:
    """The PEM that tells modules whom to trust."""
    file = settings.module.ca_file
    return signer.pem if file is None else file.read_bytes()


def _server(settings: Settings, signer: Authority, records: Records, ca: bytes) -> ProvingServer:
    """The line's own server: with the identity that is given, else with one made now, in RAM,
    which is recorded as all that the CA signs."""
    prove = settings.prove
    place = (prove.listen_host, prove.listen_port)
    if prove.certificate is not None and prove.key is not None:
        certificate, key = prove.certificate.read_bytes(), prove.key.read_bytes()
        return ProvingServer(*place, certificate, key, signer.pem)
    if signer.pem.strip() not in ca and not _has(ca, signer.certificate):
        raise AuthorityError(
            "module.ca_file does not hold the line's CA, so modules would not trust the line's "
            "own server: give prove.certificate and prove.key, signed by a CA that it holds"
        )
    with DeviceKey.make("rsa-2048") as made:
        dates = signer.validity(records.now(), _SERVER_DAYS)
        serial = x509.random_serial_number()
        records.note("server-certificate", serial=serial_text(serial), key=made.fingerprint)
        names: list[x509.GeneralName] = [_general_name(prove.host)]
        pem = signer.sign_server(names, made.public, serial, dates)
        return ProvingServer(*place, pem + signer.chain, made.pem, signer.pem)


def _has(pem: bytes, certificate: x509.Certificate) -> bool:
    try:
        return certificate in x509.load_pem_x509_certificates(pem)
    except ValueError:
        return False


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def no_core_dumps() -> None:
    """Keys are in this process's memory for a moment: no file of it may be left by a crash."""
    try:
        import resource
    except ImportError:
        return  # Windows has none
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment_or(ask: Callable[[str], str]) -> Secret:
    """A secret from the environment, else asked of a person."""

    def secret(variable: str, what: str) -> str:
        return os.environ.get(variable) or ask(what)

    return secret
