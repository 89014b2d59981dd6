# SPDX-License-Identifier: MIT
"""The service's listeners, asked by this machine's own TLS: who gets in, what is said, and that a
key is made once, handed over once, and forgotten."""

import json
import socket
import ssl
import struct

import pytest
from cryptography import x509
from onemo_tools.factory.tables import ACTIVE, PENDING, REVOKED, SUPERSEDED, VOID
from onemo_tools.renew import packets
from onemo_tools.servers.pki import Authority as OtherAuthority
from onemo_tools.servers.pki import Identity

TIMEOUT_S = 20


class Asker:
    """A device's end of the conversation, byte by byte."""

    def __init__(self, world, certificate, key, tmp_path, expired=False, session=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if key:
            context.load_cert_chain(*Identity("", b"", certificate, key, key).write(tmp_path))
        port = world.listeners.grace_port if expired else world.listeners.port
        plain = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        try:
            self.sock = context.wrap_socket(plain, session=session)
        except BaseException:
            plain.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, first, body):
        size = len(body)
        head = bytearray((first,))
        while size > 0x7F:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        self.sock.sendall(bytes(head) + bytes((size,)) + body)

    def receive(self):
        """First byte and body of the next packet; None at the end."""
        head = self._exactly(1)
        if head is None:
            return None
        size = shift = 0
        while True:
            byte = self._exactly(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return head[0], self._exactly(size)

    def _exactly(self, n):
        got = b""
        while len(got) < n:
            try:
                data = self.sock.recv(n - len(got))
            except (ConnectionError, ssl.SSLError):
                return None
            if not data:
                return None
            got += data
        return got

    def connect(self):
        """The code of CONNACK."""
        self.send(0x10, b"\0\4MQTT\4\2\0\x3c\0\6device")
        found = self.receive()
        return found and found[1][1]

    def publish(self, verb, question, qos=0):
        topic = f"renew/device/{verb}".encode()
        body = struct.pack("!H", len(topic)) + topic + (b"\0\7" if qos else b"")
        self.send(0x30 | qos << 1, body + json.dumps(question).encode())

    def ask(self, verb, question):
        """What the service answers: bytes; None if it closes."""
        self.publish(verb, question)
        found = self.receive()
        if found is None:
            return None
        size = struct.unpack_from("!H", found[1])[0]
        assert found[1][2 : 2 + size] == b"renew/device/answer"
        return found[1][2 + size :]

    def request(self, serial):
        return json.loads(self.ask("request", {"serial": serial, "nonce": "n"}))

    def done(self):
        """True if it was acknowledged."""
        self.publish("done", "", qos=1)
        return self.receive() == (0x40, b"\0\7")

    def fetch(self, what, size):
        """All of certificate or key."""
        got = b""
        while len(got) < size:
            piece = self.ask("get", {"what": what, "left": size - len(got)})
            assert 0 < len(piece) <= 768
            got += piece
            assert got.endswith(b"\n")
        return got


@pytest.fixture
def unit(world):
    """A provisioned unit, without a device: certificate, key and its serial in the record."""

    class Unit:
        def __init__(self):
            self.id, self.certificate, self.key = world.provision()
            self.serial = world.records.credential(self.id, ACTIVE).serial

    return Unit()


@pytest.fixture
def ask(world, unit, tmp_path):
    """Makes connections of the unit, connected and admitted."""
    made = []

    def make(certificate=None, key=None, **settings):
        asker = Asker(
            world, certificate or unit.certificate, key or unit.key, tmp_path, **settings
        )
        made.append(asker)
        assert asker.connect() == packets.ACCEPTED
        return asker

    yield make
    for asker in made:
        asker.sock.close()


def test_a_key_is_handed_over_once_and_belongs_to_the_certificate(world, unit, ask):
    asker = ask()
    answer = asker.request(unit.serial)
    assert answer["nonce"] == "n"
    certificate = asker.fetch("cert", answer["cert"])
    key = asker.fetch("key", answer["key"])
    made = x509.load_pem_x509_certificates(certificate)[0]
    assert f"{made.serial_number:x}" == answer["serial"]
    assert made.subject == x509.load_pem_x509_certificates(unit.certificate)[0].subject
    [visit] = world.service._visits.values()
    assert visit.key is None
    files = b"".join(path.read_bytes() for path in world.folder.iterdir())
    assert answer["serial"].encode() in files
    assert not [line for line in key.splitlines() if len(line) > 40 and line in files]
    assert asker.ask("get", {"what": "key", "left": answer["key"]}) is None
    # By the new identity it gets in, and `done` makes that the active one, however often.
    again = ask(certificate, key)
    assert world.states(unit.id) == {ACTIVE: 1, PENDING: 1}
    assert again.done()
    assert again.done()
    assert world.states(unit.id) == {ACTIVE: 1, SUPERSEDED: 1}
    assert not world.admits(unit.certificate, unit.key)


def test_done_by_the_old_identity_supersedes_nothing(world, unit, ask):
    """As if a TLS session had been resumed: the service sees the old certificate."""
    asker = ask()
    asker.request(unit.serial)
    assert not asker.done()
    assert world.states(unit.id) == {ACTIVE: 1, PENDING: 1}
    assert world.records.credential(unit.id, ACTIVE).serial == unit.serial


def test_no_tls_session_is_resumed(world, unit, ask, tmp_path):
    asker = ask()
    session = asker.sock.session
    with pytest.raises(ValueError, match="different SSLContext"):
        Asker(world, unit.certificate, unit.key, tmp_path, session=session)
    context = asker.sock.context
    with socket.create_connection(("127.0.0.1", world.listeners.port)) as plain:
        again = context.wrap_socket(plain, session=session)
        assert not again.session_reused
        again.close()


def test_whoever_has_no_certificate_of_the_ca_does_not_get_in(world, tmp_path):
    other = OtherAuthority("someone else", algorithm="ec").issue("device-00001", algorithm="ec")
    for certificate, key in ((other.chain, other.key), (b"", b"")):
        for expired in (False, True):
            with (
                pytest.raises(OSError),
                Asker(world, certificate, key, tmp_path, expired) as asker,
            ):
                if asker.connect() is None:
                    raise ConnectionError


def test_a_certificate_that_is_in_no_record_is_refused(world, tmp_path):
    with Asker(world, *world.stranger(), tmp_path) as asker:
        assert asker.connect() == packets.NOT_AUTHORIZED
    assert "in no record" in world.listeners.refusals[-1]


def test_a_new_connection_ends_the_one_before(world, unit, ask):
    """What a device had said before it came back is not done after that."""
    before = ask()
    first = before.request(unit.serial)
    after = ask()
    assert before.receive() is None
    second = after.request(unit.serial)
    assert first["serial"] != second["serial"]
    assert world.states(unit.id) == {ACTIVE: 1, PENDING: 1, VOID: 1}
    assert world.records.credential(unit.id, PENDING).serial == second["serial"]


def test_a_request_by_an_identity_that_was_never_confirmed_confirms_it(world, unit, ask):
    asker = ask()
    answer = asker.request(unit.serial)
    new = ask(asker.fetch("cert", answer["cert"]), asker.fetch("key", answer["key"]))
    assert new.request(answer["serial"])["serial"]
    assert world.records.credential(unit.id, ACTIVE).serial == answer["serial"]
    assert world.states(unit.id) == {ACTIVE: 1, PENDING: 1, SUPERSEDED: 1}


def test_one_that_is_revoked_meanwhile_gets_nothing(world, unit, ask):
    asker = ask()
    world.records.revoke(world.records.credential(unit.id, ACTIVE).id, "stolen")
    assert "revoked" in asker.request(unit.serial)["refused"]
    [visit] = world.service._visits.values()
    assert visit.key is None
    assert world.states(unit.id) == {REVOKED: 1}
    assert not asker.done()


def test_another_serial_number_than_the_one_shown_is_refused(unit, ask):
    assert "refused" in ask().request("1234")


def test_a_unit_that_is_at_the_line_is_refused(world, unit, ask):
    from onemo_tools.factory.tables import Unit

    with world.records.writing() as session:
        found = session.get_one(Unit, unit.id)
        found.lease_token, found.lease_until = "t", world.records.now().replace(year=2100)
    assert "production line" in ask().request(unit.serial)["refused"]
    assert world.states(unit.id) == {ACTIVE: 1}


@pytest.mark.parametrize(
    "packet",
    [
        b"\x10\x02\0\0",  # no CONNECT of MQTT
        b"\x30\xff\xff\xff\xff\x01",  # an impossible length
        b"\x30\xff\x7f",  # too long
        b"\x30\x02\xff\xff",  # a topic that ends too late
        b"\x30\x04\0\2\xff\xfe",  # one that is no UTF-8
        b"\x34\x08\0\1x\0\1abc",  # QoS 2
        b"\x30\x13\0\x0frenew/d/request{}",  # no serial
        b"\x30\x12\0\x0frenew/d/requestx",  # no JSON
        b"\x30\x0f\0\x0brenew/d/get{}",
        b"\x30\x0d\0\x09renew/d/x{}",
        b"\xf0\x00",
    ],
)
def test_what_is_no_question_harms_nobody(world, unit, ask, packet):
    asker = ask()
    asker.sock.sendall(packet)
    found = asker.receive()
    assert found is None or b"refused" in found[1]
    assert world.states(unit.id) == {ACTIVE: 1}
    assert ask().request(unit.serial)["serial"]


def test_the_key_of_a_device_that_goes_away_is_forgotten(world, unit, ask):
    asker = ask()
    asker.request(unit.serial)
    [visit] = world.service._visits.values()
    pem = visit.key.pem
    assert b"PRIVATE KEY" in pem
    asker.send(0xE0, b"")
    assert asker.receive() is None
    assert visit.ended
    assert visit.key is None
    assert not any(pem)
