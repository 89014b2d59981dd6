# SPDX-License-Identifier: MIT
#
# What config.json may hold: one row an entry. main.py, sync, open_uart and the PC's tools check by
# it; docs/config.md and docs/config.schema.json are made from it (`make schema`). Loaded while a
# configuration is read, and let go of then.

import json
import sys

from ._port import const
from .at_syntax import check_text

# A row, among those of the object that the entry is in: name, kind, what the kind wants, and after
# that words for a message, if any. The comment above it is its documentation, "Default: ..." its
# last sentence; a board is spared it.
#
# `kind?` may be left out, `kind~` may be null as well. `name@PORT`, right below the row of `name`,
# is in its place on boards whose sys.platform begins so; `name@PORT,PORT` on either. [] is any
# element of a list.
#
#   object, list             what they hold has rows of its own; elements are objects
#   int LOW HIGH             true, "45" and 45.0 are none
#   bool                     1 and "true" are none
#   of VALUE VALUE ...       one of these, in JSON's spelling
#   str LOW HIGH             characters
#   text LOW HIGH            what may stand between quotes in an AT command
#   topic LOW HIGH           a str without MQTT's wildcards
#   hex DIGITS               a str of hexadecimal digits
#   source LOW HIGH          a str, in Python also a stream
#   suite                    a cipher suite: its name, "0xC02F" or 49199
#   digits LOW HIGH          a str of so many digits
#   id LOW HIGH              an int, or a name
#   some VALUE VALUE ...     a list of these, in JSON's spelling
#   none                     must not be there
ROWS = {
    "": (
        # For editors, which find the JSON Schema of this file there: docs/config.schema.json.
        "$schema str? 1 255\n"
        # Where the module is connected.
        'uart object such as {"id": 1, "baud": 115200, "tx": 17, "rx": 18}\n'
        # The module itself.
        'module object such as {"model": null, "apn": null}\n'
        # Certificates, keys and PSKs that the module must have. Nothing else in it is touched.
        "objects list of certificates and keys\n"
        # TLS contexts of the module that are set up.
        "contexts list of TLS contexts\n"
        # The server that main.py reports to, an MQTT broker.
        "endpoint object with host, port, ssl_id, topic and every_s\n"
        # The maker's service that renews the device's certificate, see docs/renewal.md. Default:
        # none, the certificate stays until it is replaced.
        'renewal object~ such as {"host": "renewal.example", "port": 8886, "grace_port": 8887}\n'
        # Pauses after failures.
        'retry object such as {"first_s": 1, "most_s": 300}\n'
        # What is tried when nothing gets on. Default: nothing, failures are only tried again.
        'recovery object~ such as {"after": 3, "tries": 2, "rest_s": 1800}\n'
        # Pins of the board that are wired to the module's, beside the UART. Default: none.
        'power object~ such as {"power_key": 4, "reset": 5}\n'
        # Seconds without progress of the program after which the watchdog resets the board.
        # Default: no watchdog.
        "watchdog_s int~ 1 86400 seconds\n"
        "watchdog_s@rp2 int~ 1 8 seconds: RP2040's watchdog has 8.388\n"
        "watchdog_s@rp2350 int~ 1 16 seconds: RP2350's watchdog has 16.777\n"
        "watchdog_s@pyboard int~ 1 32 seconds: STM32's watchdog has 32.767\n"
    ),
    "uart": (
        # Number of the UART; on STM32 also its name, such as "XA".
        "id int 0 15 the UART's number on this board\n"
        "id@rp2 int 0 1 the UART's number on this board\n"
        "id@pyboard id 0 15 the UART's number on this board, or its name\n"
        # Speed in bit/s that module and UART run at.
        "baud int 1200 4000000 the module's speed in bit/s\n"
        # Pin that sends. Not where the UART decides the pins: STM32, i.MX RT, RA, nRF.
        "tx int 0 99 the number of the pin that is wired to the module's RXD\n"
        "tx@samd id 0 99 the pin to the module's RXD\n"
        "tx@pyboard,mimxrt,nrf none left out: on this board the UART's number decides it\n"
        # Pin that receives. Not where the UART decides the pins.
        "rx int 0 99 the number of the pin that is wired to the module's TXD\n"
        "rx@samd id 0 99 the pin to the module's TXD\n"
        "rx@pyboard,mimxrt,nrf none left out: on this board the UART's number decides it\n"
        # Pin that tells the module to wait; where the UART decides the pins true or false, on nRF
        # left out. Default: no flow control.
        "rts int~ 0 99 the number of the pin that is wired to the module's CTS\n"
        "rts@nrf none left out on this board\n"
        "rts@pyboard,mimxrt bool~ on this board the UART decides the pin\n"
        # Pin by which the module says to wait; where the UART decides the pins true or false, on
        # nRF left out. Default: no flow control.
        "cts int~ 0 99 the number of the pin that is wired to the module's RTS\n"
        "cts@nrf none left out on this board\n"
        "cts@pyboard,mimxrt bool~ on this board the UART decides the pin\n"
        # Receive buffer in bytes. Default: 1024, more above 230400 bit/s.
        "rxbuf int~ 32 32766 bytes\n"
        "rxbuf@nrf none left out on this board\n"
        "rxbuf@esp32 int~ 129 32766 bytes\n"
        # Send buffer in bytes. Not on STM32, RA and nRF. Default: 512.
        "txbuf int~ 32 32766 bytes\n"
        "txbuf@esp32 int~ 129 32766 bytes\n"
        "txbuf@pyboard,nrf none left out: on this board the UART's number decides it\n"
    ),
    "module": (
        # Its series, such as "ML307R", if it shall not be asked. Default: the module is asked.
        "model text~ 1 32\n"
        # The network's access point. Default: what the module has.
        "apn text~ 1 99\n"
        # Kind of addresses. Default: what the module has.
        'pdp_type of~ "IP" "IPV6" "IPV4V6"\n'
        # User that the access point asks for. Default: none.
        "user text~ 1 99\n"
        # Password of that user.
        "password text~ 1 99\n"
        # How the password is sent. Default: "chap".
        'auth of~ "pap" "chap"\n'
        # Which addresses of a name are tried first, where the module can be told. Default: as it
        # does by itself.
        'dns_priority of~ "IP" "IPV6"\n'
        # PIN of the SIM, which is never tried twice. Default: the SIM asks for none.
        "sim_pin digits~ 4 8\n"
        # The module may sleep between messages, or not. Default: as the module has it.
        "sleep bool~\n"
    ),
    "objects[]": (
        # Its name in the module, one that no other object has.
        "name text 1 64 a name in the module, such as ca.pem\n"
        # What it is. The file of a "psk" holds the PSK itself.
        'kind of "cert" "key" "psk"\n'
        # File on the board. May be left out with `md5`, if the module has the object already.
        "source source~ 1 255 the path of a file\n"
        # Digest that the object in the module must have, for one without `source`.
        "md5 hex~ 32\n"
        # Bytes of the source; in Python, for a stream that cannot be rewound.
        "size int~ 1 8192 a number of bytes\n"
    ),
    "contexts[]": (
        # Number of the context, each once. MN316, MN316-S and MN326 have 0 to 4.
        "ssl_id int 0 5 each once\n"
        # Who is verified: nobody, the server, or server and device.
        'auth of "none" "server" "mutual"\n'
        # CA's certificate that the server's is verified by: a `name` in objects. With auth
        # "mutual", and with "server" unless there is a `pskid` or `ignoreverify`.
        "ca text~ 1 64 the name of a cert in objects\n"
        # Device's certificate: a `name` in objects. With auth "mutual".
        "cert text~ 1 64 the name of a cert in objects\n"
        # Key of the device's certificate: a `name` in objects. With auth "mutual".
        "key text~ 1 64 the name of a key in objects\n"
        # Pre-shared key: a `name` in objects. Only MN316, MN316-S and MN326 have PSKs.
        "pskid text~ 1 64 the name of a psk in objects\n"
        # Seconds that a handshake may take. Default: 45.
        "negotime_s int? 10 300 seconds\n"
        # TLS version: SSL 3.0, TLS 1.0, 1.1, 1.2, or any (255). Default: 3.
        "version of? 0 1 2 3 255\n"
        # Cipher suite of the manual's appendix 5.1: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        # "0xC02F" or 49199. 0 leaves the choice to module and server. Default: 0.
        'ciphersuite suite? such as "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" or "0xC02F"\n'
        # Sessions may be resumed. Default: true.
        "session bool?\n"
        # The dates of certificates are not checked. Default: false.
        "ignorestamp bool?\n"
        # The server is not verified at all. Default: false.
        "ignoreverify bool?\n"
        # The server is told which host is meant (MR880A only). Default: where that is possible
        # and `auth` verifies.
        "sni bool~\n"
        # A broken cipher suite (NULL, RC4, DES, 3DES) may be asked for. Default: false.
        "allow_broken bool?\n"
    ),
    "endpoint": (
        # Name or address.
        "host text 1 253 a host's name or address\n"
        # TCP port.
        "port int 1 65535\n"
        # Context of `contexts` that the connection uses.
        "ssl_id int 0 5 the ssl_id of one of the contexts\n"
        # How topics begin: TOPIC/DEVICE/telemetry and TOPIC/DEVICE/commands.
        "topic topic 1 200 how topics begin\n"
        # Seconds from report to report; weeks are fine.
        "every_s int 1 31536000 seconds from line to line\n"
        # MQTT's Keep Alive in seconds: a ping goes out twice in that time. NAT tables of cellular
        # networks forget after some minutes; more than 240 is told. Default: 60.
        "keepalive_s int~ 10 65535 seconds\n"
        # MQTT's user name. Default: none, the certificate says who the device is.
        "user str~ 1 255\n"
        # MQTT's password.
        "password str~ 1 255\n"
    ),
    "renewal": (
        # Name or address.
        "host text 1 253 a host's name or address\n"
        # TCP port.
        "port int 1 65535\n"
        # Its TCP port for devices whose certificate has expired.
        "grace_port int 1 65535\n"
        # Seconds in which a device asks that is due already as it starts; so that not all ask at
        # once that a power failure has started together. Default: 1800.
        "within_s int? 0 86400 seconds\n"
    ),
    "retry": (
        # Seconds after the first failure; the pause doubles with each further one in a row.
        "first_s int 1 31536000 seconds\n"
        # Seconds that the longest pause has, first_s or more.
        "most_s int 1 31536000 seconds, first_s or more\n"
    ),
    "recovery": (
        # Failures in a row, without a message that was acknowledged, until the first step.
        # Default: 3.
        "after int~ 1 1000 failures\n"
        # Failures after a step until the next one. Default: 2.
        "tries int~ 1 1000 failures\n"
        # Seconds between two steps, at least. Default: 120.
        "pause_s int~ 1 86400 seconds\n"
        # Seconds of rest behind the last step, until all begins anew. Default: 1800.
        "rest_s int~ 1 86400 seconds\n"
        # The steps in their order: PDP context dialled again, radio off and on, module rebooted,
        # UART opened anew, module restarted by its pins, board reset. Default: all.
        'steps some~ "context" "radio" "module" "uart" "power" "board"\n'
    ),
    "power": (
        # Pin of the power key; low at the module while it is pressed. Default: not wired.
        "power_key int~ 0 99 a pin's number\n"
        "power_key@pyboard id~ 0 99 a pin's number or name\n"
        # Pin of the reset line, low at the module while in reset. Default: not wired.
        "reset int~ 0 99 a pin's number\n"
        "reset@pyboard id~ 0 99 a pin's number or name\n"
        # Pin of DTR: low while the module must be awake. Default: not wired.
        "dtr int~ 0 99 a pin's number\n"
        "dtr@pyboard id~ 0 99 a pin's number or name\n"
        # Pin that switches the module's supply: high while it is on. Default: not wired.
        "enable int~ 0 99 a pin's number\n"
        "enable@pyboard id~ 0 99 a pin's number or name\n"
        # Pin that is high while the module is on. Default: not wired.
        "status int~ 0 99 a pin's number\n"
        "status@pyboard id~ 0 99 a pin's number or name\n"
        # Pins behind a transistor that inverts their level. Default: none.
        'inverted some~ "power_key" "reset" "dtr" "enable" "status"\n'
        # Milliseconds that the power key is pressed to switch on. Default: 2500.
        "start_ms int~ 1 60000 milliseconds\n"
        # Milliseconds that it is pressed to switch off. Default: 4000.
        "shutdown_ms int~ 1 60000 milliseconds\n"
        # Milliseconds on the reset line. Default: 500.
        "reset_ms int~ 1 60000 milliseconds\n"
        # Milliseconds without supply. Default: 2000.
        "discharge_ms int~ 1 60000 milliseconds\n"
        # Milliseconds until a module that was switched on answers. Default: 8000.
        "boot_ms int~ 1 60000 milliseconds\n"
        # Milliseconds from DTR low until the module hears. Default: 100.
        "wake_ms int~ 1 60000 milliseconds\n"
    ),
}

# Modules that only one port has, and the port, by turns.
_MODULES = "esp32 esp32 _rp2 rp2 stm pyboard mimxrt mimxrt samd samd renesas pyboard nrf nrf"
_SECRETS = ("password", "sim_pin")  # whose values are not shown
_SHOWN_MAX = const(60)  # characters of a wrong value that are shown; of a longer one
_SHOWN_CUT = const(20)  # so many, which of a key's PEM text are none that matter


def check(value, entry="", part=None):
    """ValueError that names the first fault of `value`, which is what stands at `entry` ("": all
    of config.json), and says what it must be.

    part: names of what must be there and is looked at. All else is the application's own, unless
    it looks like a name that is known."""
    for said in faults(value, entry, part):
        raise ValueError(said)


def faults(value, entry="", part=None, unknown=True, port=None):
    """Iterate over all faults of `value`, as sentences that begin with the entry: see check().

    unknown: False where names without a row are no faults. port: sys.platform of the board, else
    of this machine."""
    kind = "object"
    wants = "with " + ", ".join(part) if part else _members(entry)
    for name, its_kind, its_wants in children("", ""):
        if name == entry:
            kind = its_kind
            wants = its_wants
    yield from _faults(value, entry, entry, kind, wants, part, unknown, port or this_port())


def this_port():
    """sys.platform, as the rows name ports. A product's board may give itself another one: a
    module tells, which only its port has."""
    port = sys.platform
    if port in ("stm32", "renesas-ra"):
        return "pyboard"
    if port.startswith("nrf"):
        return "nrf"
    if port not in _MODULES and port not in "linux darwin win32":
        words = _MODULES.split(" ")
        for i in range(0, len(words), 2):
            try:
                __import__(words[i])
                port = words[i + 1]
                break
            except ImportError:
                pass
    if port == "rp2" and "RP2350" in getattr(sys.implementation, "_machine", ""):
        return "rp2350"
    return port


def children(entry, port):
    """The entries in the object `entry`, as a list of (name, kind, what the kind wants)."""
    found = []
    for line in ROWS[entry].split("\n")[:-1]:
        words = line.split(" ", 2)
        name, _, only = words[0].partition("@")
        row = (name, words[1], words[2] if len(words) > 2 else "")
        if not only:
            found.append(row)
        else:
            for one in only.split(","):
                if port.startswith(one):
                    found[-1] = row
    return found


def is_needed(kind):
    """Whether an entry of this kind must be there."""
    return not (kind[-1] in "?~" or kind == "none")


def wanted(kind, wants):
    """What a row says that a value must be, in words."""
    null = ", or null" if kind[-1] == "~" else ""
    kind = kind.rstrip("?~")
    if kind == "none":
        return wants
    words = wants.split(" ")
    if kind == "of":
        return ", ".join(words[:-1]) + " or " + words[-1] + null
    if kind == "some":
        return "a list of " + ", ".join(words[:-1]) + " or " + words[-1] + null
    if kind in ("object", "list"):
        return ("an object " if kind == "object" else "a list ") + wants + null
    used = 2
    if kind == "bool":
        said = "true or false"
        used = 0
    elif kind == "suite":
        said = "the name or the id of a cipher suite"
        used = 0
    elif kind == "hex":
        said = "%s hexadecimal digits" % words[0]
        used = 1
    elif kind == "digits":
        said = "a string of %s to %s digits" % (words[0], words[1])
    elif kind in ("int", "id"):
        said = "an integer from %s to %s" % (words[0], words[1])
    else:
        said = "a string of %s to %s characters" % (words[0], words[1])
    more = " ".join(words[used:])
    return said + (", " + more if more else "") + null


def refusal(where, value, must):
    """The sentence about a wrong value, and what it must be."""
    shown = "wrong" if where.split(".")[-1] in _SECRETS else _shown(value)
    return "%s is %s; it must be %s" % (where or "it", shown, must)


def nearest(name, known):
    """The one of the names `known` that `name` may be meant to be, or None."""
    best = None
    least = 99
    low = str(name).lower()[:40]
    for one in known:
        other = one.lower()
        score = _distance(low, other)
        related = len(low) > 2 and (low in other or other in low)
        if score < least and (related or score <= max(1, len(other) // 3)):
            best = one
            least = score
    return best


def _members(key):
    return "with " + ", ".join([name for name, _, _ in children(key, "")]) if key in ROWS else ""


def _faults(value, key, where, kind, wants, part, unknown, port):
    # Iterate over the faults of a value, and of what is in it.
    bare = kind.rstrip("?~")
    if bare == "object" and isinstance(value, dict):
        yield from _inside(value, key, where, part, unknown, port)
    elif bare == "list" and isinstance(value, list):
        key += "[]"
        wants = _members(key)
        for i in range(len(value)):
            at = "%s[%d]" % (where, i)
            yield from _faults(value[i], key, at, "object", wants, None, unknown, port)
    else:
        yield refusal(where, value, wanted(kind, wants))


def _inside(value, key, where, part, unknown, port):
    # Iterate over the faults of what an object holds; names that are not known first.
    known = children(key, port)
    if where:
        where += "."
    names = [row[0] for row in known]
    for name in value:
        if unknown and name not in names:
            near = nearest(name, names)
            if near or part is None:
                yield _not_known(name, near, where, names)
    for name, kind, wants in known:
        if part is not None and name not in part:
            continue
        if name not in value:
            if part is not None or is_needed(kind):
                yield "%s%s is missing; it must be %s" % (where, name, wanted(kind, wants))
            continue
        found = value[name]
        if (found is None and (kind[-1] == "~" or kind == "none")) or _is_right(
            kind, wants, found
        ):
            continue
        if kind.rstrip("?~") in ("object", "list"):
            at = key + "." + name if key else name
            yield from _faults(found, at, where + name, kind, wants, None, unknown, port)
        elif kind[:4] == "text" and _is_right("str", wants, found):
            try:
                check_text(found, where + name, len(found))
            except ValueError as error:  # it names the character
                yield str(error)
        else:
            yield refusal(where + name, found, wanted(kind, wants))


def _not_known(name, near, where, names):
    said = _shown(str(name))[1:-1]
    start = "%s%s is not known" % (where, said)
    if near:
        return '%s ("%s": did you mean "%s"?)' % (start, said, near)
    for other in ROWS:
        if other and name in [row[0] for row in children(other, "")]:
            return '%s here ("%s": did you mean "%s.%s"?)' % (start, said, other, name)
    return "%s; %s has %s" % (start, where[:-1] or "config.json", ", ".join(names))


def _shown(value):
    # A value as JSON has it; what is in lists and objects would be too much.
    if isinstance(value, (list, dict)) and value:
        return "[...]" if isinstance(value, list) else "{...}"
    try:
        shown = json.dumps(value)
    except TypeError:
        shown = repr(value)
    if len(shown) <= _SHOWN_MAX:
        return shown
    return shown[:_SHOWN_CUT] + ('..."' if isinstance(value, str) else "...")


def _is_right(kind, wants, value):
    # Whether a value is of its kind; of objects and lists that is not decided here. The type
    # first: True is no 1 here.
    kind = kind.rstrip("?~")
    if kind == "bool":
        return type(value) is bool
    if kind == "of":
        return isinstance(value, (int, str)) and json.dumps(value) in wants.split(" ")
    if kind == "some":
        return isinstance(value, list) and not [
            one for one in value if not _is_right("of", wants, one)
        ]
    if kind == "suite":
        return (type(value) is int and 0 <= value <= 0xFFFF) or (
            isinstance(value, str) and 0 < len(value) <= 64
        )
    if kind in ("object", "list", "none"):
        return False
    words = wants.split(" ", 2)
    if kind == "hex":
        return isinstance(value, str) and not (
            len(value) != int(words[0]) or value.lower().strip("0123456789abcdef")
        )
    if kind == "int" or (kind == "id" and not isinstance(value, str)):
        return type(value) is int and int(words[0]) <= value <= int(words[1])
    if kind == "id":
        return 0 < len(value) <= 8
    if not isinstance(value, str):
        return kind == "source" and hasattr(value, "readinto")
    if not int(words[0]) <= len(value) <= int(words[1]):
        return False
    if kind == "digits":
        return not value.strip("0123456789")
    if kind == "topic":
        return not [c for c in value if c in "#+\0"]
    if kind == "text":
        try:
            check_text(value, kind, len(value))
        except ValueError:
            return False
    return True


def _distance(one, other):
    # How many letters have to be changed, put in, taken out or swapped with the next.
    before = last = ()
    row = list(range(len(other) + 1))
    for i in range(len(one)):
        before, last, row = last, row, [i + 1]
        for k in range(len(other)):
            cost = min(last[k + 1] + 1, row[k] + 1, last[k] + (one[i] != other[k]))
            if i and k and one[i] == other[k - 1] and one[i - 1] == other[k]:
                cost = min(cost, before[k - 1] + 1)
            row.append(cost)
    return row[-1]
