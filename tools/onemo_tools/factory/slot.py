# SPDX-License-Identifier: MIT
"""One board: the order of the steps, which is what keeps identities from being lost or doubled.

    claim a unit, by lease
    read board id, IMEI and ICCID; the record says which unit this is
    does the module hold what the record has?   then adopt it: nothing is written
    make a key; record serial number and key's fingerprint
    sign; record the certificate
    write key and certificate from RAM; the module's digests confirm them
    prove the identity: a handshake with the line's own server
    record it as active

So whatever ends the station, at whatever moment: no certificate exists that is not in the record,
and what a module holds is in the record, or is overwritten by the next pass with what is.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from onemo_tools.factory.authority import Authority
from onemo_tools.factory.board import CERT, KEY, Board, BoardSession, Names
from onemo_tools.factory.claims import Claim, Claims, NoneLeft
from onemo_tools.factory.keys import DeviceKey, digests_of
from onemo_tools.factory.records import Conflict, Records, serial_text
from onemo_tools.factory.tables import ACTIVE, PENDING, Credential

STEPS = ("open", "claim", "read", "compare", "key", "sign", "write", "prove", "record", "done")

Tell = Callable[[str, float], None]  # a step of STEPS, and how far it is, 0..1
Connect = Callable[[str], AbstractContextManager[BoardSession]]


class Lost(Conflict):
    """The module does not hold the identity that the record says was proven in it."""

    kind = "identity-lost"


class NotProven(OSError):
    """The identity did not get through to the line's own server."""

    kind = "not-proven"


@dataclass(frozen=True)
class Product:
    """What every unit of the batch gets, and how it is called."""

    ca: bytes  # PEM: whom the modules trust
    names: Names
    algorithm: str
    days: int
    organization: str
    ssl_id: int
    apn: str | None
    host: str  # of the line's own server, as the modules reach it
    port: int


@dataclass(frozen=True)
class Outcome:
    """A board that is as it has to be."""

    claim: Claim
    board_id: str
    imei: str
    serial: str
    adopted: bool  # nothing was written: the module had it
    written: int  # bytes into the module


class Prover(Protocol):
    """The line's own server, see `proving`."""

    def expect(self) -> str: ...
    def seen(self, nonce: str) -> str | None: ...


class Slot:
    """A place for one board at a time."""

    def __init__(
        self,
        name: str,
        records: Records,
        claims: Claims,
        authority: Authority,
        server: Prover,
        product: Product,
        connect: Connect,
    ) -> None:
        self.name = name
        self._records = records
        self._claims = claims
        self._authority = authority
        self._server = server
        self._product = product
        self._connect = connect

    def serve(self, port: str, tell: Tell, on_claim: Callable[[Claim], None]) -> Outcome:
        """Makes the board at `port` one with an identity, or finds that it is one. Whatever
        cannot be done is an exception; the claim is given up either way."""
        tell("open", 0)
        with self._connect(port) as session:
            board = Board(session)  # a new connection: nothing of the last one counts
            tell("claim", 0)
            claim = self._take()
            try:
                tell("read", 0)
                found = board.identify()
                claim = self._claims.bind(claim, found.board_id, found.module, self.name)
                on_claim(claim)
                credential, adopted = self._provide(board, claim, tell)
                tell("done", 1)
                return Outcome(
                    claim,
                    found.board_id,
                    found.module.imei,
                    credential.serial,
                    adopted,
                    board.written,
                )
            finally:
                if claim is not None:
                    self._claims.release(claim)

    def _take(self) -> Claim | None:
        try:
            return self._claims.take(self.name)
        except NoneLeft:
            return None  # a board that is in the record already may be there all the same

    def _provide(self, board: Board, claim: Claim, tell: Tell) -> tuple[Credential, bool]:
        tell("compare", 0)
        held = board.digests(self._product.names)
        active = self._records.credential(claim.unit_id, ACTIVE)
        pending = self._records.credential(claim.unit_id, PENDING)
        if active is not None and not claim.new_key:
            if not _matches(active, held):
                raise Lost(
                    f"{claim.device_name} was given an identity, and its module does not hold it: "
                    "was the module erased, or is it a copy? `onemo factory rework LINE.toml "
                    f"{claim.device_name} --new-key` gives it another one"
                )
            self._write_ca(board, held[0])
            return active, True
        if pending is not None and _matches(pending, held):
            self._write_ca(board, held[0])
            return self._prove(board, claim, pending, tell), True
        return self._make(board, claim, tell), False

    def _make(self, board: Board, claim: Claim, tell: Tell) -> Credential:
        """A new key and certificate, recorded, signed, recorded, written, proven, recorded."""
        product, records = self._product, self._records
        tell("key", 0)
        with DeviceKey.make(product.algorithm) as key:
            records.check_clock()
            dates = self._authority.validity(records.now(), product.days)
            serial = x509.random_serial_number()
            self._claims.extend(claim)
            credential = records.begin_credential(
                claim.unit_id,
                serial=serial_text(serial),
                key_fingerprint=key.fingerprint,
                key_digests=key.digests,
                algorithm=key.algorithm,
                issuer=self._authority.fingerprint,
                lease=claim.token,
            )
            tell("sign", 0)
            certificate = self._authority.sign_device(
                claim.device_name, key.public, serial, dates, product.organization
            )
            chain = certificate + self._authority.chain
            credential = records.add_certificate(
                credential.id,
                certificate.decode("ascii"),
                not_before=dates.not_before,
                not_after=dates.not_after,
                digests=digests_of(chain),
                lease=claim.token,
            )
            names = product.names
            tell("write", 0)
            board.write(names.key, key.pem, KEY, lambda part: tell("write", 0.5 * part))
            board.write(names.cert, chain, CERT, lambda part: tell("write", 0.5 + 0.3 * part))
            board.write(names.ca, product.ca, CERT, lambda part: tell("write", 0.8 + 0.2 * part))
        if not _matches(credential, board.digests(names)):
            raise Conflict("the module holds something else than what was written into it")
        return self._prove(board, claim, credential, tell)

    def _prove(self, board: Board, claim: Claim, credential: Credential, tell: Tell) -> Credential:
        tell("prove", 0)
        self._claims.extend(claim)
        product, nonce = self._product, self._server.expect()
        try:
            said = board.prove(
                product.host, product.port, product.ssl_id, product.names, product.apn, nonce
            )
        finally:
            seen = self._server.seen(nonce)
        if said != credential.serial or seen != _certificate_digest(credential):
            raise NotProven(
                "the line's own server saw another certificate than the one that was written"
                if seen
                else "the module got through to something else than the line's own server"
            )
        tell("record", 0)
        return self._records.activate(credential.id, lease=claim.token, proof="handshake")

    def _write_ca(self, board: Board, held: str | None) -> None:
        """The CA is no secret, and may change during a batch."""
        if held not in digests_of(self._product.ca):
            board.write(self._product.names.ca, self._product.ca, CERT)


def _matches(credential: Credential, held: tuple[str | None, str | None, str | None]) -> bool:
    """Whether the module's digests are those of this credential's key and certificate."""
    certificates, keys = credential.certificate_digests or "", credential.key_digests
    return held[1] in certificates.split() and held[2] in keys.split()


def _certificate_digest(credential: Credential) -> str:
    certificate = x509.load_pem_x509_certificate((credential.certificate or "").encode("ascii"))
    der = certificate.public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()
