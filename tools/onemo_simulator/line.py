# SPDX-License-Identifier: MIT
"""A thread that serves a module over a socketpair, a pty or a TCP port, at a line's pace."""

from __future__ import annotations

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Self

from .faults import FaultyLine
from .module import Module
from .polling import POLLERR, POLLHUP, POLLIN, POLLOUT, Poller, new_poller
from .system_network import SystemNetwork
from .uart import garbled

Kind = Literal["socketpair", "pty", "tcp"]
_QUANTUM = 0.001  # s between looks at a paced line
_CATCH_UP = 0.05  # s that a late thread makes good; the rest of the time slips
_IDLE = 1.0  # s, the longest sleep
_AHEAD = 4096  # bytes taken from the host before they are due
_ABSENT = 0.02  # s between looks for a client of the pty


class Line:
    """Serves `module` while the context is open, or one behind a `FaultyLine`; it is the thread's
    then: see `locked`.

    kind: "socketpair" (`board_fd` is the board's end: inheritable, O_NONBLOCK), "pty" (`path`) or
    "tcp" (`address`, on 127.0.0.1 unless `host` says otherwise; `port` 0 picks one; one client at
    a time). baud: the host's speed; both directions then take their time (8N1), and at a speed
    other than the module's each hears junk. rxbuf: the size of the board's receive buffer in
    bytes (socketpair with baud only): what finds it full is lost and counted in `overruns`.
    """

    def __init__(
        self,
        module: Module | FaultyLine,
        kind: Kind = "socketpair",
        *,
        baud: int | None = None,
        rxbuf: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if rxbuf is not None and (not baud or kind != "socketpair"):
            raise ValueError("rxbuf needs a baud rate and a socketpair")
        self.board_fd = -1
        self.path = ""
        self.address = ("", 0)
        self.overruns = 0  # bytes lost at the board's full receive buffer
        self.to_host = 0  # bytes
        self.to_module = 0
        self.error: BaseException | None = None
        # What bytes go through, and the module itself.
        self._end = module
        self._module = module.module if isinstance(module, FaultyLine) else module
        self._kind = kind
        self._baud = baud
        self._rxbuf = rxbuf
        self._listen_at = (host, port)
        self._lock = threading.RLock()
        self._stop = False
        self._fd = -1  # the host's bytes come and go here; -1: nobody there
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None  # tcp: whose descriptor `_fd` is
        self._inbound = bytearray()
        self._outbound = bytearray()
        self._in_clock = self._out_clock = 0.0
        self._out_waits = False
        self._absent = False  # pty without a client
        self._wakers: tuple[socket.socket, socket.socket] | None = None  # read, write
        self._thread: threading.Thread | None = None

    # --- life -----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the line and serve it. OSError where this system has no such kind."""
        if self._kind == "socketpair":
            ours, board = socket.socketpair()
            ours.setblocking(False)
            board.setblocking(False)
            self._fd, self.board_fd = ours.detach(), board.detach()
            os.set_inheritable(self.board_fd, True)
        elif self._kind == "pty":
            self._open_pty()
        else:
            self._listener = socket.create_server(self._listen_at)
            self._listener.setblocking(False)
            self.address = self._listener.getsockname()[:2]
        self._wakers = socket.socketpair()
        for end in self._wakers:
            end.setblocking(False)
        self._thread = threading.Thread(target=self._main, name="onemo-line", daemon=True)
        self._thread.start()

    def _open_pty(self) -> None:
        try:
            import tty  # not on Windows
        except ImportError:
            raise OSError(errno.ENOTSUP, "this system has no ptys: use tcp") from None
        self._fd, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        os.close(slave)  # so that POLLHUP tells that no client is there
        os.set_blocking(self._fd, False)

    def stop(self) -> None:
        """End the thread and close everything. Raises what ended the thread early."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop = True
        self._wake()
        thread.join(10)
        if thread.is_alive():
            raise RuntimeError("the line's thread does not end")
        if self._kind == "tcp":
            self._hang_up()
        elif self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        if self._listener is not None:
            self._listener.close()
        if self.board_fd >= 0:
            os.close(self.board_fd)
        self.board_fd = -1
        for end in self._wakers or ():
            end.close()
        self._wakers = None
        if isinstance(self._module.network, SystemNetwork):
            self._module.network.close()
        if self.error is not None:
            raise RuntimeError(f"the line's thread failed: {self.error!r}") from self.error

    @contextmanager
    def locked(self) -> Iterator[Module]:
        """The module, for as long as the thread keeps its hands off it."""
        with self._lock:
            yield self._module
        self._wake()

    @property
    def alive(self) -> bool:
        """The thread serves."""
        return self._thread is not None and self._thread.is_alive()

    def set_baud(self, baud: int) -> None:
        """The host has changed its speed."""
        with self._lock:
            if self._baud:
                self._baud = baud

    def _wake(self) -> None:
        wakers = self._wakers
        if wakers is not None:
            try:
                wakers[1].send(b"!")
            except OSError:
                pass  # enough of them wait, or the line has just been stopped

    # --- the thread -----------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stop:
                with self._lock:
                    self._serve()
                    timeout = self._timeout()
                    poller, watched = self._poller()
                self._look(poller, watched, timeout)
        except BaseException as error:
            self.error = error

    def _poller(self) -> tuple[Poller, int]:
        poller = new_poller()
        assert self._wakers is not None
        poller.register(self._wakers[0].fileno(), POLLIN)
        if self._fd >= 0 and not self._absent:
            events = POLLIN if len(self._inbound) < _AHEAD else 0
            if self._outbound:
                events |= POLLOUT
            poller.register(self._fd, events)
        elif self._listener is not None:
            poller.register(self._listener.fileno(), POLLIN)
        network = self._module.network
        if isinstance(network, SystemNetwork) and network.fileno() >= 0:
            poller.register(network.fileno(), POLLIN)
        return poller, self._fd

    def _timeout(self) -> float:
        if self._baud and (self._inbound or self._out_waits):
            return _QUANTUM
        network = self._module.network
        unwatched = isinstance(network, SystemNetwork) and network.fileno() < 0
        if isinstance(self._end, FaultyLine):
            event = self._end.next_event()
        else:
            event = self._end.next_event(sockets=unwatched)
        wait = _IDLE if event is None else min(_IDLE, event - self._module.clock.now())
        return min(wait, _ABSENT) if self._absent else wait

    def _look(self, poller: Poller, watched: int, timeout: float) -> None:
        assert self._wakers is not None
        for fd, events in poller.poll(max(0.0, timeout) * 1000):
            if fd == self._wakers[0].fileno():
                self._wakers[0].recv(4096)
            elif fd == watched and events & (POLLHUP | POLLERR):
                with self._lock:
                    self._nobody()

    def _nobody(self) -> None:
        """The client went away: a UART without a listener loses what it sends."""
        if self._kind == "pty":
            self._absent = True
        elif self._kind == "tcp":
            self._receive()  # its last words
            self._hang_up()
        self._outbound.clear()

    def _serve(self) -> None:
        if self._absent:
            self._look_for_client()
        if self._listener is not None and self._fd < 0:
            self._accept()
        self._receive()
        if self._baud:
            self._pace_in()
            self._pace_out()
        else:
            if self._inbound:
                data, self._inbound = bytes(self._inbound), bytearray()
                self._feed(data)
            if not self._outbound:
                self._outbound += self._end.take()
        self._send()

    def _feed(self, data: bytes) -> None:
        self.to_module += len(data)
        self._end.feed(data)

    # --- pace -----------------------------------------------------------------------------------

    def _byte(self, baud: int) -> float:
        return 10.0 / (baud or 115200)

    def _pace_in(self) -> None:
        if not self._inbound:
            return
        byte = self._byte(self._baud or 0)
        now = self._module.clock.now()
        self._in_clock = max(self._in_clock, now - _CATCH_UP)
        count = min(len(self._inbound), int((now - self._in_clock) / byte))
        if count > 0:
            self._in_clock += count * byte
            data = bytes(self._inbound[:count])
            del self._inbound[:count]
            self._feed(garbled(data, self._baud, self._module.baud))

    def _pace_out(self) -> None:
        module = self._end
        now = module.clock.now()
        most = None if self._rxbuf is None else max(1, self._rxbuf // 2)
        while True:
            module.take(0)  # runs its timers
            if not module.pending:
                self._out_waits = False
                return
            speed = module.baud  # IPR's OK is still at the old one
            byte = self._byte(speed)
            if not self._out_waits:
                self._out_clock = max(self._out_clock, module.emitted_at)
            self._out_clock = max(self._out_clock, now - _CATCH_UP)
            if most is not None:  # a late thread must not overrun a board that reads
                self._out_clock = max(self._out_clock, now - most * byte)
            self._out_waits = True
            count = int((now - self._out_clock) / byte)
            if count <= 0:
                return
            data = module.take(count)
            self._out_clock += len(data) * byte
            self._outbound += garbled(data, self._baud, speed)

    # --- descriptors ----------------------------------------------------------------------------

    def _receive(self) -> None:
        while self._fd >= 0 and not self._absent and len(self._inbound) < _AHEAD:
            try:
                data = self._client.recv(4096) if self._client else os.read(self._fd, 4096)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in (errno.EIO, errno.ECONNRESET, errno.ECONNABORTED):
                    raise
                data = b""
            if not data:
                if self._kind == "tcp":
                    self._hang_up()
                elif self._kind == "pty":
                    self._absent = True
                return
            if not self._inbound:
                self._in_clock = max(self._in_clock, self._module.clock.now())
            self._inbound += data

    def _send(self) -> None:
        if not self._outbound:
            return
        if self._fd < 0 or self._absent:
            self._outbound.clear()
            return
        data = bytes(self._outbound)
        if self._rxbuf is not None:
            room = max(0, self._rxbuf - self._unread())
            if room < len(data):
                self.overruns += len(data) - room
                self._outbound = self._outbound[:room]
                data = data[:room]
        try:
            count = self._write(data) if data else 0
        except BlockingIOError:
            return
        except OSError as error:
            gone = (errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED)
            if error.errno not in gone:
                raise
            self._nobody()
            return
        self.to_host += count
        del self._outbound[:count]

    def _write(self, data: bytes) -> int:
        return self._client.send(data) if self._client else os.write(self._fd, data)

    def _unread(self) -> int:
        import fcntl  # the boards that have such a buffer run where these are
        import termios

        answer = fcntl.ioctl(self.board_fd, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", answer)[0])

    def _look_for_client(self) -> None:
        poller = new_poller()
        poller.register(self._fd, POLLIN)
        if not any(events & POLLHUP for _, events in poller.poll(0)):
            self._absent = False

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._fd = client, client.fileno()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client, self._fd = None, -1
        self._outbound.clear()
