# SPDX-License-Identifier: MIT
"""Keeps what the driver says in any test - traces, exceptions, reprs, output - and the keys and
PSKs that it was given, so that the one can be searched for the other."""

import contextlib
import functools
import inspect
import os
import weakref

from onemo import aio, at_channel, blocking, certs, errors
from onemo_simulator import store

PIECE = 16  # bytes; a leak of twice as many holds a whole piece
_DISTINCT = 6  # characters: pieces with fewer are filler, which certificates of tests have too


def pieces(secret):
    """What must not be seen of a secret: stretches of a key's lines, a PSK whole."""
    found = set()
    for line in bytes(secret).splitlines():
        if (
            line.startswith(b"-----") or b": " in line or b"AT+" in line
        ):  # a probe in a packet that was cut off
            continue
        if len(line) < PIECE:
            if len(line) >= PIECE // 2:
                found.add(line)
            continue
        found.update(line[at : at + PIECE] for at in range(0, len(line) - PIECE + 1, PIECE))
    return {piece for piece in found if len(set(piece)) >= _DISTINCT}


class Watch:
    """What one test has shown so far."""

    def __init__(self):
        self.on = True  # off for tests that count the memory that is kept
        self.clear()

    def clear(self):
        self.secrets = set()
        self.public = []  # certificates: what is in one of them is no secret
        self.streams = []  # (what, bytearray)
        self.said = []  # exceptions
        self.objects = []  # weak references to what has a repr

    def secret(self, data):
        self.secrets |= pieces(data)

    def trace(self, told):
        """A trace in place of `told` (None, or the test's own), which hears all the same."""
        if not self.on:
            return told
        both = {">": bytearray(), "<": bytearray()}
        self.streams += [(f"a trace ({way})", data) for way, data in both.items()]

        def hear(direction, data):
            both[direction] += data
            if told:
                told(direction, data)

        hear.identifiers = getattr(told, "identifiers", False)
        return hear

    def leaks(self, *more):
        """Where a secret can be seen; `more`: texts to be searched as well."""
        texts = list(self.streams)
        for error in self.said:
            for what in (str, repr, lambda error: str(error.args), lambda error: str(vars(error))):
                texts.append((f"a {type(error).__name__}", what(error).encode()))
        for reference in self.objects:
            alive = reference()
            if alive is not None:
                texts.append((f"repr of a {type(alive).__name__}", repr(alive).encode()))
        texts += [("output", text.encode(errors="replace")) for text in more]
        secrets = {piece for piece in self.secrets if not any(piece in pem for pem in self.public)}
        return [
            f"{where} shows {bytes(piece)!r}"
            for piece in secrets
            for where, text in texts
            if piece in text
        ]


watch = Watch()


def _content(source):
    if isinstance(source, str):
        with contextlib.suppress(OSError), open(source, "rb") as file:
            return file.read()
    if hasattr(source, "getvalue"):
        return source.getvalue()
    return b""


def _heard(method):
    """A method whose exceptions are kept, awaited or not."""
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def waiting(*args, **settings):
            try:
                return await method(*args, **settings)
            except BaseException as error:
                watch.said.append(error)
                raise

        return waiting

    @functools.wraps(method)
    def calling(*args, **settings):
        try:
            return method(*args, **settings)
        except BaseException as error:
            watch.said.append(error)
            raise

    return calling


def install():
    """From now on, for the whole process."""
    begin_channel = at_channel.Channel.__init__
    begin_error = errors.ModemError.__init__
    put = store.Store.put
    write = certs.CertStore.write
    write_psk = certs.CertStore.write_psk

    def channel_init(self, uart, baud, buffer, trace):
        begin_channel(self, uart, baud, buffer, watch.trace(trace))
        if watch.on:
            watch.objects.append(weakref.ref(self))

    def error_init(self, *args, **settings):
        begin_error(self, *args, **settings)
        if watch.on:
            watch.said.append(self)

    def store_put(self, kind, name, data):
        if kind == store.CERT:
            watch.public.append(bytes(data))
        else:
            watch.secret(data)
        put(self, kind, name, data)

    def certs_write(self, name, source, kind=certs.CERT, **settings):
        if kind == certs.KEY:
            watch.secret(_content(source))
        watch.objects.append(weakref.ref(self))
        return write(self, name, source, kind, **settings)

    def certs_write_psk(self, pskid, key):
        if isinstance(key, (str, bytes, bytearray)):
            watch.secret(key.encode(errors="replace") if isinstance(key, str) else key)
        watch.objects.append(weakref.ref(self))
        return write_psk(self, pskid, key)

    at_channel.Channel.__init__ = channel_init
    errors.ModemError.__init__ = error_init
    store.Store.put = store_put
    certs.CertStore.write = _heard(functools.wraps(write)(certs_write))
    certs.CertStore.write_psk = _heard(functools.wraps(write_psk)(certs_write_psk))
    for front in (blocking.Modem, aio.AsyncModem):
        front.run_operation = _heard(front.run_operation)


def quiet():
    """Whether the watch is off: `ONEMO_WATCH=0` compares a test's time with and without it."""
    return os.environ.get("ONEMO_WATCH") == "0"
