# SPDX-License-Identifier: MIT
"""What runs per line, buffer, command or URC needs nothing of the heap for its frame."""

import pytest
from onemo_tools.lint import frames

# Modules on the way of bytes, lines, commands and URCs -> what in them runs seldom: once for a
# modem, a connection or a file, to explain what went wrong, or (ioctl) when a program polls. What
# takes a piece out of TLS on the board has work of another order to do.
SELDOM = {
    "_pem_plain": set(),
    "at_channel": {"Channel.__init__", "Channel.set_uart", "Channel._end_answer", "Channel.wipe"},
    "at_resync": set(),
    "at_retry": set(),
    "at_syntax": {"check_text"},
    "blocking": {"Modem.set_uart", "Modem.connect", "Modem.rotate"},
    "aio": set(),
    "cert_list": {"parse_numbers"},
    "cert_pem": set(),
    "cert_store": set(),
    "cert_upload": {"Uploader._open"},
    "cert_upload_counted": set(),
    "cert_upload_inline": {"InlineUploader._packet_max"},
    "net_flow": set(),
    "net_links": {"Connections.__init__", "Connections.prepare"},
    "net_stream": {
        "open_connection",
        "open_stream",
        "Stream.close",
        "Stream.ioctl",
        "Stream.__exit__",
    },
    "net_tls": {
        "open_stream",
        "TlsStream.ioctl",
        "TlsStream.__exit__",
        "TlsStream._receive_now",
    },
    "net_udp": {"open_udp", "Datagrams.__exit__"},
}


@pytest.fixture(scope="module")
def found():
    return frames.all_frames()


def test_frames_on_the_way_fit_on_the_stack(found):
    names = {frame.name.partition(".")[0] for frame in found}
    assert names >= set(SELDOM)
    large = {frame.name for frame in frames.large(found)}
    on_the_way = {name for name in large if name.partition(".")[0] in SELDOM}
    assert on_the_way <= {f"{m}.{name}" for m, rest in SELDOM.items() for name in rest}


def test_they_are_read_as_the_compiler_made_them(tmp_path):
    source = tmp_path / "example.py"
    source.write_text(
        "class A:\n"
        "    def small(self, one):\n"
        "        return one\n"
        "    def large(self):\n"
        "        a = b = c = d = e = f = g = h = i = j = k = l = 1\n"
        "        return a + b + c + d + e + f + g + h + i + j + k + l\n"
        "    def guarded(self):\n"
        "        try:\n"
        "            self.small(1)\n"
        "        finally:\n"
        "            self.large()\n"
        "def generator(n):\n"
        "    for i in range(n):\n"
        "        yield [i for i in range(i)]\n"
        "key = lambda one: one\n"
    )
    read = {frame.name: frame for frame in frames.frames(source)}
    assert list(read) == [
        "example.A.small",
        "example.A.large",
        "example.A.guarded",
        "example.generator",
        "example.generator.<listcomp>",
        "example.<lambda>",
    ]
    assert read["example.A.small"].words == 3
    assert read["example.A.large"].words >= 15
    assert read["example.A.guarded"].words > 3 + 3
    assert read["example.generator"].generator
    assert [frame.name for frame in frames.large(list(read.values()))] == ["example.A.large"]
