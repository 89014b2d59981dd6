# SPDX-License-Identifier: MIT
"""What the maker's service does when a device asks for another certificate, on the same record as
the production line.

    visit = await service.admit(serial, expired=False)  # who is there, by the handshake
    await service.request(visit, serial)                # pending: recorded, signed, in RAM
    service.piece(visit, "key", left)                   # what the device writes into its module
    await service.done(visit)                           # by the new identity: that one is active

A unit has one visit at a time: a new one ends the one before, whatever that was about to ask. So
what a device said before it came back is never done after that.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography import x509

from onemo_tools.factory.authority import Authority, AuthorityError
from onemo_tools.factory.keys import DeviceKey
from onemo_tools.factory.records import Conflict, Records, serial_text
from onemo_tools.factory.tables import ACTIVE, PENDING, Credential

GRACE_DAYS = 730
PIECE_MAX = 768  # bytes; lib/onemo/renew.py has that much room
_PIECE = 640  # of a piece that is not the last one, so that the last one is no mere rest of a line
_LOCKS = 256


class Refused(Exception):
    """The device does not get what it asks for; the message says why, to it and to the log."""


@dataclass(eq=False)
class Visit:
    """A device that is connected: the credential that it has shown in the handshake, and what was
    made for it."""

    credential: Credential
    device_name: str
    algorithm: str
    end: Callable[[], None]  # closes the connection
    key: DeviceKey | None = None
    certificate: bytes = b""  # with the chain
    ended: bool = field(default=False)

    def wipe(self) -> None:
        """The private key is forgotten."""
        if self.key is not None:
            self.key.__exit__(None, None, None)
            self.key = None


class Service:
    """Renewals on a record. `days`: of a new certificate. `grace`: how long after its end an
    expired one may still be renewed. `at_once`: key pairs that are under way at a time; who comes
    then is told to come again."""

    def __init__(
        self,
        records: Records,
        authority: Authority,
        *,
        days: int = 365,
        organization: str = "",
        grace: timedelta = timedelta(days=GRACE_DAYS),
        at_once: int = 32,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._records = records
        self._authority = authority
        self._days = days
        self._organization = organization
        self._signing = threading.Lock()  # a token may sign one thing at a time
        self._grace = grace
        self._at_once = at_once
        self._tell = tell
        self._visits: dict[int, Visit] = {}
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self.renewed = 0

    async def admit(self, serial: int, *, expired: bool, end: Callable[[], None]) -> Visit:
        """The device whose certificate the handshake has verified. `expired`: its dates were not.
        `end`: closes its connection. Refused."""
        found = await asyncio.to_thread(self._records.by_serial, serial_text(serial))
        if found is None:
            raise Refused(f"certificate {serial_text(serial)} is in no record")
        async with self._lock(found.unit_id):
            # Again, for what the visit before had begun has ended by now.
            found = await asyncio.to_thread(self._accepted, found.serial, expired)
            unit = await asyncio.to_thread(self._records.unit_by_id, found.unit_id)
            visit = Visit(found, unit.device_name, found.algorithm, end)
            before = self._visits.get(found.unit_id)
            if before is not None:
                self.leave(before)
                before.end()
            self._visits[found.unit_id] = visit
            return visit

    def leave(self, visit: Visit) -> None:
        """The device has gone, or is to go. Harmless if it has."""
        visit.ended = True
        visit.wipe()
        if self._visits.get(visit.credential.unit_id) is visit:
            del self._visits[visit.credential.unit_id]

    async def request(self, visit: Visit, serial: str) -> dict[str, object]:
        """Makes another identity for the device: its serial number, and the sizes of certificate
        (with its chain) and key in bytes. One that was under way is void. Refused."""
        if serial != visit.credential.serial:
            raise Refused(f"it asks for {serial[:40]}, and has shown {visit.credential.serial}")
        under_way = sum(other.key is not None for other in self._visits.values())
        if visit.key is None and under_way >= self._at_once:
            raise Refused("busy")
        visit.wipe()
        visit.key = key = await asyncio.to_thread(DeviceKey.make, visit.algorithm)
        try:
            async with self._lock(visit.credential.unit_id):
                self._check_here(visit)
                made, visit.certificate = await asyncio.to_thread(self._sign, visit, key)
            self._check_here(visit)
        except BaseException:
            visit.wipe()
            raise
        self._tell(f"{visit.device_name}: {made} was made, to take the place of {serial}")
        return {"serial": made, "cert": len(visit.certificate), "key": len(key.pem)}

    def piece(self, visit: Visit, what: str, left: int) -> bytes:
        """The next bytes of certificate or key, of which `left` are to come: up to a line's end.
        With its last byte the key is forgotten. Refused."""
        if visit.key is None:
            raise Refused("nothing was asked for, or it was fetched already")
        held: dict[str, bytes | bytearray] = {"cert": visit.certificate, "key": visit.key.pem}
        content = held.get(what, b"")
        start = len(content) - left
        if not 0 <= start < len(content):
            raise Refused(f"{what[:10]} has {len(content)} bytes")
        stop = len(content)
        if left > PIECE_MAX:
            stop = content.rindex(b"\n", start, start + _PIECE) + 1
        piece = bytes(content[start:stop])
        if what == "key" and stop == len(content):
            visit.wipe()
        return piece

    async def done(self, visit: Visit) -> None:
        """The identity that the device has shown is in force: it is active from now on, the one
        before is superseded. Refused."""
        async with self._lock(visit.credential.unit_id):
            self._check_here(visit)
            await asyncio.to_thread(self._confirm, visit)

    # -- what happens in threads ----------------------------------------------------------
    def _accepted(self, serial: str, expired: bool) -> Credential:
        found = self._records.by_serial(serial)
        if found is None or found.state not in (ACTIVE, PENDING):
            raise Refused(f"certificate {serial} is {found.state if found else 'gone'}")
        if expired and (
            found.not_after is None or found.not_after + self._grace < self._records.now()
        ):
            raise Refused(f"certificate {serial} has expired too long ago")
        return found

    def _sign(self, visit: Visit, key: DeviceKey) -> tuple[str, bytes]:
        # Serial number and fingerprint are in the record before anything is signed, the
        # certificate before anyone gets it.
        records, authority, unit_id = self._records, self._authority, visit.credential.unit_id
        try:
            records.check_clock()
            now = records.now()
            lease_until = records.unit_by_id(unit_id).lease_until
            if lease_until is not None and lease_until > now:
                raise Refused("the device is at a station of the production line")
            if self._accepted(visit.credential.serial, False).state == PENDING:
                # It asks by an identity that was never confirmed: so that is the one in force.
                self._confirm(visit)
            dates = authority.validity(now, self._days)
            serial = x509.random_serial_number()
            begun = records.begin_credential(
                unit_id,
                serial=serial_text(serial),
                key_fingerprint=key.fingerprint,
                key_digests=key.digests,
                algorithm=key.algorithm,
                issuer=authority.fingerprint,
            )
            with self._signing:
                pem = authority.sign_device(
                    visit.device_name, key.public, serial, dates, self._organization
                )
            records.add_certificate(
                begun.id, pem.decode(), not_before=dates.not_before, not_after=dates.not_after
            )
        except (Conflict, AuthorityError) as error:
            raise Refused(str(error)) from None
        return begun.serial, pem + authority.chain

    def _confirm(self, visit: Visit) -> None:
        records, shown = self._records, visit.credential
        pending = records.credential(shown.unit_id, PENDING)
        if pending is not None and pending.id != shown.id:
            raise Refused(f"{shown.serial} is in force, and {pending.serial} is pending")
        before = records.credential(shown.unit_id, ACTIVE)
        try:
            records.activate(shown.id, by="renewal")
        except Conflict as error:
            raise Refused(str(error)) from None
        if before is None or before.id != shown.id:
            self.renewed += 1
            replaced = before.serial if before is not None else "none"
            self._tell(f"{visit.device_name}: {shown.serial} is active, {replaced} superseded")

    def _check_here(self, visit: Visit) -> None:
        if visit.ended:
            raise Refused("another connection of the device has taken its place")

    def _lock(self, unit_id: int) -> asyncio.Lock:
        return self._locks[unit_id % _LOCKS]
