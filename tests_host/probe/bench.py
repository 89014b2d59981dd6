# SPDX-License-Identifier: MIT
"""A simulated module on a virtual clock, a server for it, and the probe in front of it."""

from __future__ import annotations

import json
from datetime import timedelta

from onemo_simulator import LoopNetwork, Module, SimulatedUart, VirtualClock
from onemo_simulator.loop_network import Peer
from onemo_tools.probe.findings import Findings
from onemo_tools.probe.probe import Plan, Probe, Server
from onemo_tools.servers import pki

HOST, PORT = "probe.example", 18830
CA = pki.Authority("probe test CA", algorithm="ec")


class VirtualPort:
    """What the probe wants of a line, to a module on a virtual clock. `limit`: no waiting beyond
    so many seconds in all."""

    baud = 115200

    def __init__(self, module, limit=3600.0):
        self.module = module
        self.uart = SimulatedUart(module)
        self.limit = limit
        self.hooks = []  # (number of a write, what to do in the middle of it)
        self.writes = 0

    def write(self, data):
        self.writes += 1
        if self.hooks and self.writes == self.hooks[0][0]:
            _, hook = self.hooks.pop(0)
            cut = len(data) // 2
            self._feed(data[:cut])
            hook()
            data = data[cut:]
        self._feed(data)

    def _feed(self, data):
        view = memoryview(bytes(data))
        while view:
            view = view[self.uart.write(view) or 0 :]

    def read(self, seconds):
        end = self.now() + seconds
        while True:
            data = self.uart.read(4096)
            if data:
                return data
            event = self.uart.next_event()
            if event is None or event > end:
                self._advance(end)
                return self.uart.read(4096) or b""
            self._advance(max(event, self.now() + 1e-4))

    def _advance(self, moment):
        assert moment <= self.limit, "the probe waits without end"
        self.module.clock.advance_to(moment)

    def now(self):
        return self.module.clock.now()

    def sleep(self, seconds):
        end = self.now() + seconds
        while (event := self.module.next_event()) is not None and event < end:
            self._advance(max(event, self.now() + 1e-4))
            self.uart.any()
        self._advance(end)


class ProbePeer(Peer):
    """The probe's server, on the virtual clock. Its verdicts follow from the module's store."""

    def __init__(self, name="right", tls=True, silent=False):
        self.name, self.tls, self.silent = name, tls, silent
        self.pending = {}

    def verdict(self, tls):
        if self.silent:
            return 753
        if tls.auth and not tls.ignoreverify:
            if tls.ca.replace(b"\r\n", b"\n") != CA.pem:  # as models without `>` store it
                return 752
            if tls.check_host and self.name != "right":
                return 752
        return 0

    def on_connect(self, conn):
        seen = {"port": self.name, "sni": None}
        if conn.tls is not None:
            seen["sni"] = HOST if conn.tls.sni else None
            seen["resumed"] = conn.tls_info.resumed
        conn.reply(json.dumps(seen).encode() + b"\n")

    def on_data(self, conn, data):
        for word in data.split(b";")[:-1]:
            if word == b"two":
                conn.reply(b"A" * 100)
                conn.reply(b"B" * 100, 0.4)
            elif word == b"bye":
                conn.reply(b"left over")
                conn.end(1, 0.1)
            else:
                conn.reply(word + b";")


def network():
    net = LoopNetwork()
    for offset, peer in enumerate(
        (ProbePeer(), ProbePeer("wrong"), ProbePeer("plain", tls=False), ProbePeer(silent=True))
    ):
        net.listen(HOST, PORT + offset, peer)
    return net


def make_module(model="ML307R", **quirks):
    return Module(model, clock=VirtualClock(), network=quirks.pop("network", network()), **quirks)


def whole(**more):
    """A plan of everything."""
    return Plan(**{"psk": True, "server": Server(HOST, PORT, CA.pem), **more})


def probing(module, plan=None, **settings):
    """A probe of a module, with its port. The PC's clock is the network's."""
    port = settings.pop("port", None) or VirtualPort(module)
    start = module.network_date() - timedelta(seconds=module.clock.now())

    def utc():
        return start + timedelta(seconds=module.clock.now())

    settings.setdefault("utc", utc)
    probe = Probe(port, plan or whole(), tag="test", **settings)
    return probe


def found(model="ML307R", plan=None, **quirks) -> tuple[Module, Findings]:
    module = make_module(model, **quirks)
    before = state(module)
    result = probing(module, plan).run()
    assert state(module) == before
    return module, result


def state(module):
    """What a probe must leave as it was."""
    return {
        "objects": dict(module.store.objects),
        "series": module.store.series,
        "contexts": {
            (number, option): module.contexts.get(number, option)
            for number in range(module.contexts.count)
            for option in (
                *("auth", "cert", "psk", "encoding", "negotime", "version", "ciphersuite"),
                *("session", "ignorestamp", "ignoreverify", "sni"),
            )
        },
        "links": {
            (number, option): module.sockets.config.get(number, option)
            for number in range(module.profile.conn_ids)
            for option in ("encoding", "autofree", "sndbuf", "rcvbuf", "cid", "timeout", "ssl")
        },
        "sockets": dict(module.sockets._used),
        "line": (module.echo, module.verbose, module.modem.cmee),
        "contexts up": dict(module.modem.active),
        "sleep": dict(module.sleep.settings),
    }
