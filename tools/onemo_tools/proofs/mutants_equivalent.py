# SPDX-License-Identifier: MIT
"""Mutants that nobody could tell from the original: where, the change, and why.

`make mutants` counts these apart. The change is written as before -> after, the lines without
their indentation; lines of one side are joined by " / "."""

from __future__ import annotations

MILLISECOND = "moves a deadline by the millisecond in which it ends"
BEGINS_LINE = "what is looked for never begins the line: the command's name does"
BEGINS_AT = "every command begins with AT"
NO_ZERO = "the loop is not entered with 0"
NEXT_COMMAND = "the query behind it announces its own, none"
LINE_OR_NOT = "the line is passed over either way, and a refusal is all that counts"
SHORT_CUT = "names that are as wanted are only found out at a cost in heap, by what comes behind"
TESTED = "it is only asked whether it is true"
OWN_END = "what is held back is sent to its own end"
LET_GO = "it only lets go of what was held: whoever comes next sets it anew"
STRING = "only MicroPython's str gets here as it is; on a PC it has become bytes"

# Wherever it stands: what is looked for in the line that goes, what comes in its place.
ANYWHERE: dict[tuple[str, str], str] = {
    (r"\b(value|text|raw|field_equals)\(0\b", r"\1(None"): (
        "without a number the first parameter is meant, too"
    ),
    (r"\.find\(([^()]*)\) (>=|<) 0\b", r".rfind(\1) \2 0"): "whether it is there, not where",
    (r'(\bfrom_bytes\(.*), "big"\)', r"\1, )"): "a PC's Python knows no other by default",
}

EQUIVALENT: dict[tuple[str, str], str] = {
    ("at_resync._find_answer_op", "if elapsed >= timeout_ms: -> if elapsed > timeout_ms:"): (
        MILLISECOND
    ),
    ("at_resync._find_answer_op", 'bytes_before = None -> bytes_before = ""'): (
        "it only has to differ from any count"
    ),
    (
        "at_resync._fill_payload_op",
        "ch.expect_payload(0)  # it had enough before: its final result came in between -> "
        "ch.expect_payload(1)  # it had enough before: its final result came in between",
    ): NEXT_COMMAND,
    (
        "at_resync._fill_payload_op",
        "ch.expect_payload(0)  # it had enough before: its final result came in between -> "
        "ch.expect_payload(None)  # it had enough before: its final result came in between",
    ): NEXT_COMMAND,
    ("at_resync.outlast_payload_op", "ch.expect_payload(0) -> ch.expect_payload(1)"): NEXT_COMMAND,
    ("at_resync.outlast_payload_op", "ch.expect_payload(0) -> ch.expect_payload(None)"): (
        NEXT_COMMAND
    ),
    (
        "tls.TLSContext._is_listed_op",
        """lists = lists or line.find(b'"auth"') >= 0 -> """
        """lists = lists or line.find(b'"auth"') > 0""",
    ): BEGINS_LINE,
    (
        "tls.TLSContext._is_listed_op",
        "found = found or line.find(name) >= 0 -> found = found or line.find(name) > 0",
    ): BEGINS_LINE,
    (
        "tls.TLSContext._apply_op",
        "restores = self._epoch >= 0 and not again and modem.require_model().volatile -> "
        "restores = self._epoch > 0 and not again and modem.require_model().volatile",
    ): "the first start begins epoch 1",
    (
        "tls.TLSContext._is_listed_op",
        "found = found or line.find(name) >= 0 -> found = found or line.find(name) >= 1",
    ): BEGINS_LINE,
    (
        "tls.TLSContext._is_listed_op",
        """lists = lists or line.find(b'"auth"') >= 0 -> """
        """lists = lists or line.find(b'"auth"') >= 1""",
    ): BEGINS_LINE,
    (
        "tls.TLSContext._apply_op",
        "restores = self._epoch >= 0 and not again and modem.require_model().volatile -> "
        "restores = self._epoch >= 1 and not again and modem.require_model().volatile",
    ): "the first start begins epoch 1",
    ("tls.TLSContext._parse", "names = self._wanted(option) -> names = None"): SHORT_CUT,
    (
        "tls.TLSContext._is_line_with",
        'or ch.field_equals(index, b"NULL") -> or ch.field_equals(index, b"XXNULLXX")',
    ): SHORT_CUT,
    (
        "tls.TLSContext._is_line_with",
        'or ch.field_equals(index, b"NULL") -> or ch.field_equals(index, b"null")',
    ): SHORT_CUT,
    (
        "tls.TLSContext.verify_op",
        'ch.command(b"+MSSLCHECK=").quote(name).send(STORE_MS, b"+MSSLCHECK:") -> '
        'ch.command(b"+MSSLCHECK=").quote(name).send(STORE_MS, None)',
    ): LINE_OR_NOT,
    (
        "tls.TLSContext._parse",
        "if option.kind == HEX and number != 0: -> if option.kind == HEX and number != 1:",
    ): "0 and 1 are the same in hexadecimal",
    (
        "tls.TLSContext.verify_op",
        'ch.command(b"+MSSLCHECK=").quote(name).send(STORE_MS, b"+MSSLCHECK:") -> '
        'ch.command(b"+MSSLCHECK=").quote(name).send(STORE_MS, )',
    ): LINE_OR_NOT,
    (
        "net_links.Connection.__init__",
        "self.changed = False  # a URC told something -> "
        "self.changed = None  # a URC told something",
    ): "has_news() gives it on, and is only asked whether it is true",
    (
        "net_links.Connection.__init__",
        "self.error = None  # why nothing more can be had of it -> "
        'self.error = ""  # why nothing more can be had of it',
    ): TESTED,
    (
        "net_links.Connection.__init__",
        "self.last_read = 0  # bytes that were received last -> "
        "self.last_read = 1  # bytes that were received last",
    ): "a read sets it before anybody asks",
    (
        "net_links.Connection.__init__",
        "self.last_read = 0  # bytes that were received last -> "
        "self.last_read = None  # bytes that were received last",
    ): "a read sets it before anybody asks",
    (
        "net_links.Connections._is_cooling",
        "0 < _port.ticks_diff(until, _port.ticks_ms()) <= _COOLDOWN_MS -> "
        "0 <= _port.ticks_diff(until, _port.ticks_ms()) <= _COOLDOWN_MS",
    ): MILLISECOND,
    (
        "net_links.Connections._is_cooling",
        "0 < _port.ticks_diff(until, _port.ticks_ms()) <= _COOLDOWN_MS -> "
        "1 < _port.ticks_diff(until, _port.ticks_ms()) <= _COOLDOWN_MS",
    ): MILLISECOND,
    (
        "net_flow.ConnectionBuffer._read_steps",
        "got += bytearray(min(n - have, _GROW_MAX) if n >= 0 else 4 * room) -> "
        "got += bytearray(min(n - have, _GROW_MAX) if n > 0 else 4 * room)",
    ): NO_ZERO,
    (
        "net_flow.ConnectionBuffer._read_steps",
        "if line and n < 0 and have >= self.line_max: -> "
        "if line and n < 1 and have >= self.line_max:",
    ): NO_ZERO,
    (
        "net_flow.ConnectionBuffer._read_steps",
        "if line and n < 0 and have >= self.line_max: -> "
        "if line and n <= 0 and have >= self.line_max:",
    ): NO_ZERO,
    ("net_flow.ConnectionBuffer._read_steps", "if n >= 0: -> if n > 0:"): NO_ZERO,
    ("net_flow.ConnectionBuffer._read_steps", "if n >= 0: -> if n >= 1:"): NO_ZERO,
    (
        "net_flow._sending_op",
        'ch.send(_SEND_MS, b"+MIPSEND:", payload=n, fillable=False) -> '
        'ch.send(_SEND_MS, b"+MIPSEND:", payload=n, fillable=None)',
    ): TESTED,
    ("net_flow.ConnectionBuffer.__init__", "self._have = 0 -> self._have = 1"): (
        "it counts only while a reader has a buffer, and each begins with 0"
    ),
    (
        "net_flow.ConnectionBuffer.next_step",
        "if step > 0: -> if step > 1:",
    ): MILLISECOND,
    ("net_flow.ConnectionBuffer._wait_step", "if now > 0: -> if now > 1:"): MILLISECOND,
    (
        "net_flow.ConnectionBuffer._flush_op",
        "return self._send_op(None, 0, 0) -> return self._send_op(None, 0, None)",
    ): OWN_END,
    (
        "net_flow.ConnectionBuffer._flush_op",
        "return self._send_op(None, 0, 0) -> return self._send_op(None, 0, 1)",
    ): OWN_END,
    (
        "net_links.Connection.__init__",
        "self.boot = -1  # of the module, in which it was opened -> "
        "self.boot = -2  # of the module, in which it was opened",
    ): "it is set with the id, before anybody asks",
    (
        "net_links._note_unread",
        "count = at_syntax.number(buf, at, end) if at >= 0 else None -> "
        "count = at_syntax.number(buf, at, end) if at > 0 else None",
    ): "the fourth field never begins the line",
    ("net_flow._receiving_op", 'self = connection = None -> self = connection = ""'): LET_GO,
    (
        "net_flow._sending_op",
        'self = connection = data = None -> self = connection = data = ""',
    ): LET_GO,
    (
        "net_flow.ConnectionBuffer._end_readinto",
        'self._target = None -> self._target = ""',
    ): LET_GO,
    (
        "net_flow.check_no_hello",
        "if stop - start > 5 and data[start] == 0x16 and data[start + 1] == 3 "
        "and data[start + 5] == 1: -> "
        "if stop + start > 5 and data[start] == 0x16 and data[start + 1] == 3 "
        "and data[start + 5] == 1:",
    ): "what is written first begins at 0",
    (
        "net_flow.ConnectionBuffer.__init__",
        "self._result = None  # of the reader that ran last -> "
        'self._result = ""  # of the reader that ran last',
    ): "a reader sets it before anybody asks",
    (
        "cert_psk.check_psk_bytes",
        """if byte in ('"', "\\\\", b'"', b"\\\\") or not b" " <= as_buffer(byte) <= b"~": -> """
        """if byte in ('"', "XX\\\\XX", b'"', b"\\\\") or not b" " <= as_buffer(byte) <= b"~":""",
    ): STRING,
    (
        "cert_psk.check_psk_bytes",
        """if byte in ('"', "\\\\", b'"', b"\\\\") or not b" " <= as_buffer(byte) <= b"~": -> """
        """if byte in ('XX"XX', "\\\\", b'"', b"\\\\") or not b" " <= as_buffer(byte) <= b"~":""",
    ): STRING,
    (
        "cert_psk._write_psk_op",
        "remember_source(modem, pskid, PSK, psk, len(psk), None) -> "
        "remember_source(modem, pskid, PSK, psk, None, None)",
    ): "a PSK is written again from its bytes, and its size is never asked for",
    (
        "cert_psk._compare_psk_op",
        "remember_source(modem, pskid, PSK, psk, len(psk), None) -> "
        "remember_source(modem, pskid, PSK, psk, None, None)",
    ): "a PSK is written again from its bytes, and its size is never asked for",
    (
        "cert_upload_inline.InlineUploader.__init__",
        "self._encoding_sent = None  # (boot, encoding) that the module was told -> "
        'self._encoding_sent = ""  # (boot, encoding) that the module was told',
    ): "it only has to differ from any pair",
    ("cert_upload_inline.InlineUploader.close", "digits[i] = 0 -> digits[i] = 1"): (
        "what matters is that nothing of a key is left"
    ),
    (
        "cert_upload_inline.InlineUploader._push_encoded_op",
        "text_end = stop - 1 if stop > at and buffer[stop - 1] == _CR else stop -> "
        "text_end = stop - 1 if stop >= at and buffer[stop - 1] == _CR else stop",
    ): "with nothing before the line end nothing is pushed either way",
    (
        "cert_upload_inline.InlineUploader._send_packet_op",
        "ch.send(FLASH_MS + (length + n) * 40000 // ch.baud, line_open=True) -> "
        "ch.send(FLASH_MS + (length + n) * 40001 // ch.baud, line_open=True)",
    ): "a wait that is longer by a forty-thousandth",
    (
        "net_tls.open_stream",
        "transport.begin(max(1, timeout_ms - _port.ticks_diff(_port.ticks_ms(), start))) -> "
        "transport.begin(max(2, timeout_ms - _port.ticks_diff(_port.ticks_ms(), start)))",
    ): MILLISECOND,
    (
        "net_tls.TlsStream.readline",
        "if n < 0 and seen >= self.line_max: -> if n <= 0 and seen >= self.line_max:",
    ): NO_ZERO,
    (
        "net_tls.TlsStream.readline",
        "if n < 0 and seen >= self.line_max: -> if n < 1 and seen >= self.line_max:",
    ): NO_ZERO,
    (
        "net_udp.DatagramBuffer._receive_packet_op",
        'ch.send(REPLY_MS + DATAGRAM_MAX * 10000 // ch.baud, b"+MIPRD:", 3) -> '
        'ch.send(REPLY_MS + DATAGRAM_MAX * 10001 // ch.baud, b"+MIPRD:", 3)',
    ): MILLISECOND,
    (
        "net_udp.DatagramBuffer._receive_packet_steps",
        "if left_ms is None or left_ms > 0: -> if left_ms is None or left_ms > 1:",
    ): MILLISECOND,
    (
        "net_udp.DatagramBuffer._receive_packet_op",
        'ch.send(REPLY_MS + DATAGRAM_MAX * 10000 // ch.baud, b"+MIPRD:", 3) -> '
        'ch.send(REPLY_MS + DATAGRAM_MAX * 10000 / ch.baud, b"+MIPRD:", 3)',
    ): MILLISECOND,
    (
        "aio_stream.Stream.read",
        "return bytes(await self._run(self._read_steps(-1))) -> "
        "return bytes(await self._run(self._read_steps(-2)))",
    ): "any number below 0 means all",
    (
        "aio.AsyncModem.wait_news",
        "if left <= 0 or connections.has_news(connection): -> "
        "if left <= 1 or connections.has_news(connection):",
    ): MILLISECOND,
    (
        "aio.AsyncModem.wait_news",
        "if left <= 0 or connections.has_news(connection): -> "
        "if left < 0 or connections.has_news(connection):",
    ): MILLISECOND,
    (
        "tls.TLSContext._is_line_with",
        'ch.field_equals(index, b"") / or ch.field_equals(index, b"NULL") -> '
        'ch.field_equals(index, b"") and ch.field_equals(index, b"NULL")',
    ): SHORT_CUT,
    ("tls.TLSContext._is_listed_op", "lists = found = False -> lists = found = None"): TESTED,
    ("cert_restore.restore_op", 'certs = None -> certs = ""'): TESTED,
    (
        "net_links.Connection.__init__",
        "self.boot = -1  # of the module, in which it was opened -> "
        "self.boot = +1  # of the module, in which it was opened",
    ): "it is set as it gets its id, before anybody asks",
    (
        "net_links._value",
        "return None if at < 0 else at_syntax.number(buf, at, end) -> "
        "return None if at < 1 else at_syntax.number(buf, at, end)",
    ): "a parameter stands behind a name, never at 0",
    (
        "provisioning_journal.Journal.open_series",
        'check_text(name, "name") -> check_text(name, "NAME")',
    ): "it is caught, and its words with it",
    (
        "provisioning_journal.Journal.open_series",
        'check_text(name, "name") -> check_text(name, "XXnameXX")',
    ): "it is caught, and its words with it",
    (
        "provisioning_journal.Journal.open_series",
        'check_text(name, "name") -> check_text(name, None)',
    ): "it is caught, and its words with it",
    (
        "cert_restore.restore_op",
        "yield from certs.uploader().write_op(name, source, kind, size, False, None) -> "
        "yield from certs.uploader().write_op(name, source, kind, size, None, None)",
    ): TESTED,
    ("provisioning_journal.Journal.read", 'fault = None -> fault = ""'): TESTED,
    ("at_confirm.confirm_empty_op", 'level = None -> level = ""'): (
        "a query without its line is an error, and all that counts is whether it is 1"
    ),
    (
        "at_retry.is_over",
        "return _port.ticks_diff(end, _port.ticks_ms()) <= 0 -> "
        "return _port.ticks_diff(end, _port.ticks_ms()) <= 1",
    ): MILLISECOND,
    (
        "at_retry.is_over",
        "return _port.ticks_diff(end, _port.ticks_ms()) <= 0 -> "
        "return _port.ticks_diff(end, _port.ticks_ms()) < 0",
    ): MILLISECOND,
    (
        "at_retry.ask_op",
        'expect = command[: command.find(b"?")] + b":" -> '
        'expect = command[: command.find(b"XX?XX")] + b":"',
    ): "the question mark is what ends such a command",
    (
        "at_retry.ask_op",
        'expect = command[: command.find(b"?")] + b":" -> '
        'expect = command[: command.rfind(b"?")] + b":"',
    ): "there is one question mark",
    (
        "at_confirm.confirm_empty_op",
        'restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if line.find(name) >= '
        '0] -> restarts = line.find(b"?") < 1 and [name for name in _RESTARTS if '
        "line.find(name) >= 0]",
    ): BEGINS_AT,
    (
        "at_confirm.confirm_empty_op",
        'restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if line.find(name) >= '
        '0] -> restarts = line.find(b"?") <= 0 and [name for name in _RESTARTS if '
        "line.find(name) >= 0]",
    ): BEGINS_AT,
    (
        "cert_pem_faults.text",
        "scanner.fault = scanner.fault or 100 + fault -> scanner.fault = scanner.fault or 101 + "
        "fault",
    ): ("what counts from now on is that it is not 0"),
    (
        "cert_pem_faults._not_base64",
        'if byte in b":-" and scanner.seen[_COUNT] == scanner.seen[_COLUMN] < 24: -> if byte in '
        'b"XX:-XX" and scanner.seen[_COUNT] == scanner.seen[_COLUMN] < 24:',
    ): ("letters are base64's own, and no fault"),
    (
        "cert_pem_faults.text",
        "words %= scanner.length, scanner.seen[_COUNT] // 4 * 3 - scanner.pads -> "
        "words %= scanner.length, scanner.seen[_COUNT] / 4 * 3 - scanner.pads",
    ): ("the count is a multiple of 4 then, and %d shows no fraction"),
    (
        "at_confirm.confirm_empty_op",
        'restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if line.find(name) >= '
        '0] -> restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if '
        "line.find(name) > 0]",
    ): BEGINS_AT,
    (
        "at_confirm.confirm_empty_op",
        'restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if line.find(name) >= '
        '0] -> restarts = line.find(b"?") < 0 and [name for name in _RESTARTS if '
        "line.find(name) >= 1]",
    ): BEGINS_AT,
    (
        "net_socket.Socket.makefile",
        'def function(self, mode="rwb", buffering=0): -> def function(self, mode="rwb", '
        "buffering=1):",
    ): ("nothing is buffered, whatever it says"),
    (
        "cert_upload_counted.CountedUploader._send_op",
        "ch.send(FLASH_MS + n * 40000 // ch.baud, line_open=True) -> ch.send(FLASH_MS + n * "
        "40000 / ch.baud, line_open=True)",
    ): MILLISECOND,
    (
        "cert_validity.CertificateHead.__init__",
        'self._text = b"" -> self._text = b"XXXX"',
    ): ("what stands before the block is passed over"),
    (
        "cert_pem_faults.text",
        "scanner.fault = scanner.fault or 100 + fault -> scanner.fault = scanner.fault or 100 - "
        "fault",
    ): ("what counts from now on is that it is not 0"),
    (
        "cert_upload_counted.CountedUploader._open",
        "super()._open(source, size) -> super()._open(source, None)",
    ): ("a source that can be rewound is measured, and no other is taken"),
    (
        "net_stream.Stream.ioctl",
        "flags = 0 if connection.close_reason else _WR -> flags = 1 if connection.close_reason "
        "else _WR",
    ): ("an ended stream is readable: the end"),
    (
        "net_stream.Stream.close",
        'failure = None -> failure = ""',
    ): TESTED,
    (
        "net_udp_socket.DatagramSocket.readinto",
        "return Datagrams.recv_into(self, buf if n is None else memoryview(buf)[:n]) -> return "
        "Datagrams.recv_into(self, buf if (n is None) and False else memoryview(buf)[:n])",
    ): ("up to None is all of it"),
    (
        "net_stand_in.SocketModule.getaddrinfo",
        "def function(self, host, port, family=0, kind=1, protocol=0, flags=0): -> def "
        "function(self, host, port, family=1, kind=1, protocol=0, flags=0):",
    ): ("it is not looked at"),
    (
        "net_stand_in.SocketModule.getaddrinfo",
        "def function(self, host, port, family=0, kind=1, protocol=0, flags=0): -> def "
        "function(self, host, port, family=0, kind=1, protocol=0, flags=1):",
    ): ("it is not looked at"),
    (
        "cert_pem_faults._boundary",
        'if line.startswith(b"-----BEGIN ") or (scanner.boundary and line.find(b"-----", 6) < '
        '0): -> if line.startswith(b"-----BEGIN ") or (scanner.boundary and line.find(b"-----", '
        "6) <= 0):",
    ): ("it is looked for behind the sixth character"),
    (
        "schema.wanted",
        "used = 0 -> used = None",
    ): ("from None on is from the first on"),
    (
        "profile_check.load",
        "while at > 0 and (piece := file.read(min(at, _PIECE))): -> while at >= 0 and (piece := "
        "file.read(min(at, _PIECE))):",
    ): ("at 0 nothing is read"),
    (
        "net_udp_socket.DatagramSocket.setsockopt",
        "def function(self, level, option, value=1): -> def function(self, level, option, "
        "value=2):",
    ): ("it is not looked at"),
    (
        "net_stream.Stream.write",
        "self._queue(data if n == len(data) else data[:n]) -> self._queue(data if (n == "
        "len(data)) and False else data[:n])",
    ): ("all of it is a copy then, and as long"),
    (
        "schema.wanted",
        'kind = kind.rstrip("?~") -> kind = kind.rstrip("XX?~XX")',
    ): ("no kind has an X"),
    (
        "schema._distance",
        "row = list(range(len(other) + 1)) -> row = list(range(len(other) + 2))",
    ): ("the cell more is looked at only for a name of no letters, which is near none"),
    (
        "schema._is_right",
        'kind = kind.rstrip("?~") -> kind = kind.rstrip("XX?~XX")',
    ): "no kind has an X",
    (
        "schema._faults",
        'bare = kind.rstrip("?~") -> bare = kind.rstrip("XX?~XX")',
    ): "no kind has an X",
    (
        "schema._inside",
        'if kind.rstrip("?~") in ("object", "list"): -> '
        'if kind.rstrip("XX?~XX") in ("object", "list"):',
    ): "no kind has an X",
    (
        "cert_pem_faults._not_base64",
        """if byte in b"\\"'": -> if byte in b"XX\\"'XX":""",
    ): ("letters are base64's own, and no fault"),
    (
        "cert_pem_faults._boundary",
        'if line.startswith(b"-----BEGIN ") or (scanner.boundary and line.find(b"-----", 6) < '
        '0): -> if line.startswith(b"-----BEGIN ") or (scanner.boundary and line.find(b"-----", '
        "6) < 1):",
    ): ("it is looked for behind the sixth character"),
    (
        "cert_pem_faults._not_pem",
        "scanner.look(scanner.line, 0, _LINE_MAX)  # the last line -> "
        "scanner.look(scanner.line, 0, None)  # the last line",
    ): "no more than that is kept of a line",
    (
        "cert_pem_faults._not_pem",
        'der = head + b"        " -> der = head + b"XX        XX"',
    ): "it only has to be text, so that a short file is long enough to look at",
    (
        "cert_pem_faults._not_base64",
        'if byte in b"-_": -> if byte in b"XX-_XX":',
    ): "letters are base64's own, and no fault",
}
