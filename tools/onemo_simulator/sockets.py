# SPDX-License-Identifier: MIT
"""The module's TCP, TLS and UDP sockets: opening, receiving with a window, disconnecting."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from .handshake import request
from .mipcfg import Config
from .network import TIMED_OUT, TLS_RESOURCE, TLS_SLOW, Connection, TlsInfo, TlsRequest
from .transparent import Transparent
from .wire import Refusal

if TYPE_CHECKING:
    from .module import Module

PUSH, TRANSPARENT, PULL, PACKETS = 0, 1, 2, 3  # access modes; PACKETS: UDP's PULL
Cure = Literal["pdp", "cfun", "reboot", "reset", "power"]
_CURES = ("pdp", "cfun", "reboot", "reset", "power")  # each cures what those before it do
_PUSHED = 1460  # most bytes in one pushed report
_RECORD = 16384  # most bytes of TLS data that are reported together


class _Stillborn:
    """A connection that failed before it began."""

    tls_info: TlsInfo | None = None
    ended = 0

    def __init__(self, code: int | None) -> None:
        self.result = code

    def read(self, limit: int) -> bytes:
        return b""

    def write(self, data: bytes) -> int:
        return 0

    def keep_alive(self, idle: int, interval: int, count: int) -> None:
        pass

    def close(self) -> None:
        pass

    abort = close


class Socket:
    """One connection id in use."""

    def __init__(
        self, number: int, host: str, port: int, mode: int, tls: bool, udp: bool = False
    ) -> None:
        self.number = number
        self.host = host
        self.port = port
        self.mode = mode
        self.tls = tls
        self.udp = udp
        self.unsent = bytearray()  # accepted from the host, not yet on the network
        self.connection: Connection = _Stillborn(None)
        self.state = "CONNECTING"
        self.freed = False  # the id is free again, but what is unread can still be read
        self.buffer = bytearray()  # received, not yet read by the host
        self.packets: deque[int] = deque()  # sizes of what that came in
        self.sent = 0
        self.received = 0
        self.reported = False  # the result of opening is on its way

    def put(self, data: bytes) -> None:
        """A packet for the host to read."""
        self.buffer += data
        self.packets.append(len(data))
        self.received += len(data)

    def take(self, limit: int, one_packet: bool) -> bytes:
        """Up to `limit` unread bytes, of one packet only if `one_packet` or with UDP."""
        if one_packet or self.udp:
            limit = min(limit, self.packets[0])
        data = bytes(self.buffer[:limit])
        del self.buffer[:limit]
        left = len(data)
        while left:
            size = self.packets.popleft()
            if size > left:
                self.packets.appendleft(size - left)
            left -= min(size, left)
        return data


class Sockets:
    """All connection ids of one module."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._used: dict[int, Socket] = {}
        self.config = Config(module)
        self.keepalive: dict[int, tuple[int, int, int, int]] = {}
        self.dns_priority = 1
        self._early_done = False
        self.wedged: Cure | None = module.quirks.wedged

    def heal(self, cure: Cure) -> None:
        """Something was done that may cure a wedged module."""
        if self.wedged and _CURES.index(cure) >= _CURES.index(self.wedged):
            self.wedged = None

    def get(self, number: int) -> Socket | None:
        """The socket of a connection id that is in use."""
        return self._used.get(number)

    def tls_info(self, number: int) -> TlsInfo | None:
        """What TLS negotiated."""
        sock = self._used.get(number)
        return sock.connection.tls_info if sock else None

    def lose(self) -> None:
        """Reboot: connections vanish, MIPCFG too."""
        for sock in self._used.values():
            sock.connection.abort()
        self._used.clear()
        self._module.network.forget_sessions()
        self.config.clear()
        self.keepalive.clear()
        self.dns_priority = 1
        self._early_done = False

    def pdp_gone(self) -> None:
        """The PDP context went down: every connection breaks."""
        for sock in tuple(self._used.values()):
            if sock.state == "CONNECTED":
                sock.connection.abort()
                self._disconnected(sock, 3)

    # --- opening --------------------------------------------------------------------------------

    def _unreachable(self, number: int) -> int | None:
        """The code of every opening now: the module is wedged, or its APN leads nowhere."""
        quirks = self._module.quirks
        if self.wedged:
            return quirks.wedge_code
        modem = self._module.modem
        apn = modem.active.get(self.config.get(number, "cid")[0])
        if apn is not None and not modem.serves(apn):
            return TIMED_OUT
        return quirks.open_result

    def open(
        self, number: int, host: str, port: int, timeout: float, mode: int, udp: bool = False
    ) -> None:
        """Begin to open; the result is reported by `poll`."""
        module = self._module
        quirks = module.quirks
        ssl = self.config.get(number, "ssl")
        sock = Socket(number, host, port, mode, bool(ssl[0]) and not udp, udp)
        self._used[number] = sock
        code = self._unreachable(number)
        tls: TlsRequest | None = None
        if code is None and sock.tls:
            try:
                links = sum(s.tls for s in self._used.values())
                if links > module.profile.tls_links:
                    raise Refusal(TLS_RESOURCE)
                if quirks.early_open_753 and not self._early_done:
                    self._early_done = True
                    if module.moment - module.modem.active_since < 0.3:
                        raise Refusal(TLS_SLOW)
                tls = request(module, ssl[1])
            except Refusal as refusal:
                code = refusal.code
        if code is not None:
            sock.connection = _Stillborn(code)
        elif udp:
            sock.connection = module.network.open_datagram(host, port, timeout)
        else:
            limit = quirks.handshake_limit
            if tls is not None and limit == "timeout":
                tls = replace(tls, negotime=timeout)
            sock.connection = module.network.open(host, port, tls, timeout, limit != "negotime")

    def _opened(self, sock: Socket, code: int) -> None:
        module = self._module
        if self._used.get(sock.number) is not sock or sock.state != "CONNECTING":
            return
        if code:
            sock.connection.abort()
            del self._used[sock.number]
            if module.profile.nb:
                code = 1
        else:
            sock.state = "CONNECTED"
            on, idle, interval, count = self.keepalive.get(sock.number, (0, 0, 0, 0))
            if on:
                sock.connection.keep_alive(idle, interval, count)
            if sock.mode == TRANSPARENT:
                module.urc(b"CONNECT", "immediate")
                module.tap = Transparent(module, sock)
                return
        line = b"+MIPOPEN: %d,%d" % (sock.number, code)
        if module.quirks.open_urc == "before":
            module.urc(line, "immediate")
            module.finish()
        elif module.quirks.open_urc == "after":
            module.urc(line)

    # --- what happens by itself -----------------------------------------------------------------

    def poll(self) -> None:
        """Results, arrivals, ends."""
        self._module.network.poll()
        if not self._used:
            return
        for sock in tuple(self._used.values()):
            if sock.state == "CONNECTING":
                self._look_for_result(sock)
            if sock.state == "CONNECTED":
                self._receive(sock)

    def _look_for_result(self, sock: Socket) -> None:
        if sock.reported:
            return
        code = sock.connection.result
        if code is None:
            return
        sock.reported = True
        delay = self._module.quirks.open_delay
        if delay:
            self._module._schedule(delay, partial(self._opened, sock, code))
        else:
            self._opened(sock, code)

    def _receive(self, sock: Socket) -> None:
        if sock.mode == PACKETS:
            self._receive_packets(sock)
        elif sock.mode == PULL:
            self._receive_pull(sock)
        elif sock.mode == TRANSPARENT:
            self._receive_transparent(sock)
        else:
            self._receive_push(sock)
        if sock.connection.ended and self._used.get(sock.number) is sock:
            self._disconnected(sock, sock.connection.ended)

    def _receive_pull(self, sock: Socket) -> None:
        # All current TLS data must be read before later data is reported.
        if sock.tls and sock.buffer:
            return
        module = self._module
        window = module.quirks.window or module.profile.window
        packet = _PUSHED if module.profile.one_packet_reads else _RECORD
        room = min(window - len(sock.buffer), packet)
        if room <= 0:
            return
        data = sock.connection.read(room)
        if data:
            sock.put(data)
            module.urc(b'+MIPURC: "rtcp",%d,%d,%d' % (sock.number, len(data), len(sock.buffer)))

    def _receive_push(self, sock: Socket) -> None:
        module = self._module
        window = module.quirks.window or module.profile.window
        while len(module._out) < window:
            data = sock.connection.read(_PUSHED)
            if not data:
                return
            sock.received += len(data)
            shown = self.shown(sock.number, data)
            kind = b"rudp" if sock.udp else b"rtcp"
            module.urc(b'+MIPURC: "%s",%d,%d,%s' % (kind, sock.number, len(data), shown))

    def _receive_packets(self, sock: Socket) -> None:
        module = self._module
        while data := sock.connection.read(_PUSHED):
            if len(sock.packets) >= module.profile.udp_packets:
                module.urc(b'+MIPURC: "drop",%d,%d' % (sock.number, len(data)))
                continue
            sock.put(data)
            numbers = (sock.number, len(data), len(sock.buffer))
            module.urc(b'+MIPURC: "rudp",%d,%d,%d' % numbers)

    def _receive_transparent(self, sock: Socket) -> None:
        tap = self._module.tap
        if isinstance(tap, Transparent) and tap.sock is sock:
            while data := sock.connection.read(_PUSHED):
                sock.received += len(data)
                self._module._put(data)

    def enter_transparent(self, sock: Socket) -> None:
        """AT+MIPMODE: the connection is transparent from now on."""
        sock.mode = TRANSPARENT
        self._module._finish(final=b"CONNECT")
        self._module.tap = Transparent(self._module, sock)

    def resume_transparent(self) -> None:
        """ATO: back into transparent mode. Refusal when no connection has it."""
        for sock in self._used.values():
            if sock.mode == TRANSPARENT and sock.state == "CONNECTED":
                self.enter_transparent(sock)
                return
        raise Refusal(None)

    def shown(self, number: int, data: bytes) -> bytes:
        """Received data as the connection's encoding has it."""
        return data.hex().upper().encode() if self.config.get(number, "encoding")[1] else data

    def _disconnected(self, sock: Socket, state: int) -> None:
        module = self._module
        sock.state = "CLOSED"
        if isinstance(module.tap, Transparent) and module.tap.sock is sock:
            module.tap = None
        if not self.config.get(sock.number, "autofree")[0]:
            sock.connection.close()
            if module.quirks.disconnect_keeps and sock.buffer:
                sock.freed = True
            else:
                del self._used[sock.number]
        module.urc(b'+MIPURC: "disconn",%d,%d' % (sock.number, state))

    # --- sending ---------------------------------------------------------------------------------

    def send(self, sock: Socket, data: bytes) -> int:
        """Accept bytes from the host; on the network `stack_delay` seconds later."""
        delay = self._module.quirks.stack_delay
        if not delay:
            return sock.connection.write(data)
        sock.unsent += data
        self._module._schedule(delay, partial(self._flush, sock, len(data)))
        return len(data)

    def _flush(self, sock: Socket, count: int) -> None:
        if sock.unsent and self._used.get(sock.number) is sock:
            sock.connection.write(bytes(sock.unsent[:count]))
            del sock.unsent[:count]

    # --- closing --------------------------------------------------------------------------------

    def close(self, sock: Socket) -> None:
        """The host closes; +MIPCLOSE comes a little later."""
        opening = sock.state == "CONNECTING"
        sock.state = "CLOSING"
        if opening:
            sock.connection.abort()
        drops = self._module.quirks.close_drops_unsent
        if self._module.profile.close_drops_unsent if drops is None else drops:
            sock.unsent.clear()
        else:
            self._flush(sock, len(sock.unsent))
        self._module._schedule(self._module.quirks.close_delay, partial(self._closed, sock))

    def _closed(self, sock: Socket) -> None:
        if self._used.get(sock.number) is sock:
            sock.connection.close()
            del self._used[sock.number]
            self._module.urc(b"+MIPCLOSE: %d" % sock.number)
