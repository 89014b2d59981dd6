# SPDX-License-Identifier: MIT
#
# Another certificate before the one in force ends, by the maker's service: docs/renewal.md.
#
#     device                                           service
#     request: serial, nonce                     -->
#                                                <--   answer: nonce, serial, sizes
#     get: certificate or key, from which byte   -->
#                                                <--   a piece, which goes into the module at once
#     ... until all is there. Then rotate() tries the new identity, at the service and at the
#     product's own server, and it comes into force; or the old one stays.
#     done, by the new identity                  -->   the old one is superseded
#
# All of it is MQTT over mutual TLS. A small file names the new certificate from before the
# rotation until the service has acknowledged `done`.

import json
import os
import random
import time
from binascii import hexlify

from ._port import const
from .cert_validity import CertificateHead, due, minutes
from .errors import ModemError, Timeout, Unsupported

_FILE = "onemo.renew"
_PIECE = const(768)  # bytes of RAM for what is on its way
_ANSWER_S = const(60)
_RETRY_S = const(900)
WITHIN_S = const(1800)


class Renewal:
    """Keeps the certificate of config.json's endpoint from expiring. `device`: the client id in
    MQTT. `client`: mqtt.py's Client."""

    def __init__(self, modem, config, device, client):
        self._modem = modem
        self._config = config
        self._rules = config["renewal"]
        self._endpoint = config["endpoint"]
        self._topic = "renew/%s/" % device
        self._device = device
        self._new_client = client
        self._client = None  # of the connection that is open
        self.piece = None  # what the service said last: piece[:_size]
        self._size = 0
        self._next_s = 0  # of time.time(): when to look again
        self._failures = 0

    def is_due(self):
        """True if check() would do something: end the session, and call it in the next one."""
        return time.time() >= self._next_s

    async def check(self, now):
        """Renew the certificate if it is time for it, after `sync` and with no connection open;
        True if another one came into force. `now`: UTC, as `modem.clock()` returns it.

        OSError, ValueError: it failed, and is tried again when is_due() says so. The old identity
        is in force still, or the next `sync` sees to that."""
        if not self.is_due():
            return False
        try:
            return await self._check(now)
        except Exception as error:
            await self.close()
            self._wait(pause(self._failures))
            self._failures += 1
            raise error

    def _wait(self, seconds):
        self._next_s = time.time() + int(seconds)
        return seconds >= 1

    async def _check(self, now):
        modem = self._modem
        # As sync() has set it: a module that rebooted since has lost it until the next connection.
        name = modem.tls(self._endpoint["ssl_id"]).noted()["cert"][1]
        head = CertificateHead()
        await modem.certs.read(name, head)
        serial, begin, end = head.validity()
        try:
            with open(_FILE) as file:
                renewed = file.read()
        except OSError:
            renewed = None
        now = minutes(now)
        valid = now < end
        if renewed == name and valid:
            await self._confirm()
        elif renewed is not None:  # it did not come into force, or has ended since
            os.remove(_FILE)
        first = valid and not self._next_s
        if self._wait((due(begin, end, self._device) - now) * 60) or (
            first and self._wait(random.uniform(0, self._rules.get("within_s", WITHIN_S)))
        ):
            return False
        if modem.require_model().volatile:
            raise Unsupported("deep sleep would lose a renewed key")
        self.piece = bytearray(_PIECE)
        try:
            await self._open(self._rules["port" if valid else "grace_port"])
            profile, renewed = await self._request(serial)
            with open(_FILE, "w") as file:
                file.write(renewed)
            await modem.rotate(profile, self._trial)
        finally:
            self.piece[:] = bytes(_PIECE)
        modem.tell("renewal", renewed + " is in force")
        self._failures = 0
        await self._confirm()
        self._wait(86400)
        return True

    async def _request(self, serial):
        # Asks for another identity. Returns the profile with it, and its certificate's name.
        nonce = hexlify(os.urandom(8)).decode()
        size = await self.ask("request", {"serial": serial, "nonce": nonce})
        answer = json.loads(bytes(self.piece[:size]))
        if answer["nonce"] != nonce or "refused" in answer:
            raise ModemError("renewal refused: %s" % answer.get("refused"))
        config = self._config
        cert, key = ["%s-%s.pem" % (kind, answer["serial"][-12:]) for kind in ("cert", "key")]
        for context in config["contexts"]:
            if context["ssl_id"] == self._endpoint["ssl_id"]:
                old = context["cert"], context["key"]  # as the profile names them
        contexts = [
            dict(context, cert=cert, key=key) if context.get("cert") == old[0] else context
            for context in config["contexts"]
        ]
        objects = [item for item in config["objects"] if item["name"] not in old]
        for name, kind in ((cert, "cert"), (key, "key")):
            source = _Arriving(self, kind, answer[kind])
            objects.append({"name": name, "kind": kind, "source": source, "size": answer[kind]})
        return {"objects": objects, "contexts": contexts}, cert

    async def _trial(self, modem):
        # The service accepts the new identity, and so does the product's own server.
        await self._open(self._rules["port"])
        await self.close()
        stream = await self._connect(self._endpoint["host"], self._endpoint["port"])
        await stream.wait_closed()

    async def _confirm(self):
        # `done`, by the identity in force.
        await self._open(self._rules["port"])
        await self._client.publish(self._topic + "done", b"")
        await self.close()
        os.remove(_FILE)

    # The connection

    def _connect(self, host, port):
        return self._modem.connect(host, port, self._modem.tls(self._endpoint["ssl_id"]))

    async def _open(self, port):
        stream = await self._connect(self._rules["host"], port)
        stream.hide_received()
        topic = self._topic + "answer"
        self._client = client = self._new_client(
            stream, self._on_message, on_payload=self._on_payload, max_size=len(topic)
        )
        try:
            await client.connect(self._device, clean_session=True)
            await client.subscribe(topic, 0)
        except OSError as error:
            await self.close()
            raise error

    async def close(self):
        """Close the connection, if one is open."""
        client = self._client
        self._client = None
        if client:
            await client.close()

    async def ask(self, verb, question):
        """Ask the service; how many bytes of `piece` its answer has."""
        self._size = 0
        await self._client.publish(self._topic + verb, json.dumps(question), 0)
        for _ in range(10 * _ANSWER_S):
            if self._size:
                return self._size
            await self._client.wait(0.1)
        raise Timeout("no answer of the renewal service")

    def _on_message(self, topic, message):
        self.piece[: len(message)] = message
        self._size = len(message)

    async def _on_payload(self, topic, payload):
        at = 0
        while payload.remaining:
            at += await payload.readinto(memoryview(self.piece)[at:])
        self._size = at


class _Arriving:
    # Certificate or key, as a source that rotate() has fetched piece by piece: see cert_upload.

    def __init__(self, renewal, kind, size):
        self.ready = 0  # bytes that are here: _renewal.piece[_at:]
        self._at = 0
        self._renewal = renewal
        self._kind = kind
        self._left = size

    async def fetch(self):
        """Get the next piece."""
        renewal = self._renewal
        self.ready = await renewal.ask("get", {"what": self._kind, "left": self._left})
        self._at = 0
        self._left -= self.ready
        if self._kind == "key" and not self._left:
            await renewal.close()  # it uses the identity that is to go

    def readinto(self, buf):
        """Up to len(buf) bytes of what is here; how many."""
        n = min(len(buf), self.ready)
        buf[:n] = memoryview(self._renewal.piece)[self._at : self._at + n]
        self._at += n
        self.ready -= n
        return n


def pause(failures):
    """Seconds until the next attempt, after so many that failed before the last one."""
    return (_RETRY_S << min(failures, 6)) * random.uniform(0.5, 1)
