# SPDX-License-Identifier: MIT
"""MD5 where the port's hashlib has none: viper, on the real MicroPython."""

import hashlib
import random
from pathlib import Path

from tests_host.on_micropython import run

# RFC 1321 A.5
VECTORS = {
    "": "d41d8cd98f00b204e9800998ecf8427e",
    "a": "0cc175b9c0f1b6a831c399e269772661",
    "abc": "900150983cd24fb0d6963f7d28e17f72",
    "message digest": "f96b697d7cb7938d525a2f31aaf161d0",
    "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e4007dfb496cca67e13b",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": (
        "d174ab98d277d9f5a5611c2c9f419d9f"
    ),
    "1234567890" * 8: "57edf4a22be3c955ac49da2e2107b67a",
}

HEAD = """
import json
from binascii import hexlify
from onemo._md5_viper import MD5

def md5(data, step):
    hashed = MD5()
    view = memoryview(data)
    for at in range(0, len(data), step):
        hashed.update(view[at:at + step])
    return hexlify(hashed.digest()).decode()
"""


def test_rfc_vectors():
    found = run(f"{HEAD}\nprint(json.dumps([md5(t.encode(), 99) for t in {list(VECTORS)!r}]))")
    assert found == list(VECTORS.values())


def test_every_length_around_a_block_in_odd_pieces():
    """Unaligned slices, too: what the UART's buffer gives."""
    data = random.Random(5).randbytes(260)
    script = f"""{HEAD}
data = {data!r}
print(json.dumps([md5(data[:n], 1 + n % 71) for n in range(261)]))
"""
    assert run(script, heap="1M") == [hashlib.md5(data[:n]).hexdigest() for n in range(261)]


def test_the_manuals_key():
    """Manual 3.8 prints this code for the key of 3.3."""
    path = Path(__file__).parents[1] / "data" / "manual-key.pem"
    script = f"{HEAD}\nprint(json.dumps(md5(open({str(path)!r}, 'rb').read(), 256)))"
    assert run(script) == "9e5e120bc7827646a0c4b007ec3e1453"


def test_updating_allocates_nothing():
    script = f"""{HEAD}
import micropython
hashed, data = MD5(), bytearray(256)
def often(count):
    for _ in range(count):
        hashed.update(data)
often(1)
micropython.heap_lock()
often(32)
micropython.heap_unlock()
print(json.dumps(hexlify(hashed.digest()).decode()))
"""
    assert run(script) == hashlib.md5(bytes(256 * 33)).hexdigest()


WITHOUT = """
import json, sys
class hashlib:
    pass
sys.modules["hashlib"] = hashlib
from onemo import md5
hashed = md5.md5()
hashed.update(b"abc")
from binascii import hexlify
print(json.dumps([hexlify(hashed.digest()).decode(), "onemo._md5_viper" in sys.modules]))
"""


def test_it_is_loaded_only_where_the_port_has_none():
    assert run(WITHOUT) == [VECTORS["abc"], True]
    assert run(WITHOUT.replace('sys.modules["hashlib"] = hashlib', "")) == [VECTORS["abc"], False]
