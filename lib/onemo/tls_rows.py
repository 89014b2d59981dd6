# SPDX-License-Identifier: MIT
#
# Everything that MSSLCFG sets (manual 3.1): a row an option.

from collections import namedtuple

from ._port import const

AUTH_NONE = const(0)
AUTH_SERVER = const(1)
AUTH_MUTUAL = const(2)

SSL3 = const(0)
TLS1_0 = const(1)
TLS1_1 = const(2)
TLS1_2 = const(3)
TLS_ANY = const(255)

REFUSED = "nothing"  # in place of a value that the module does not tell

# How the value of an option is written
NUMBER = const(0)
FLAG = const(1)  # 0 or 1, a bool for the application
HEX = const(2)  # hexadecimal digits, no quotes
NAMES = const(3)  # names in the module's store, as strings

# One row an option, in the order in which they are sent. `arguments`: what configure() calls its
# values. `low`, `high`: the least and the greatest number. `capability`: the attribute of Model
# without which a model does not have it; None: all models do.
# `default`: what configure() sets without being asked, so that a firmware that does not have the
# option may do without it; None: there is none such.
Option = namedtuple(
    "Option", ("name", "arguments", "kind", "low", "high", "capability", "default")
)
ROWS = (
    Option("auth", ("auth",), NUMBER, 0, 2, None, None),
    Option("cert", ("ca", "cert", "key"), NAMES, 0, 0, None, None),
    Option("psk", ("pskid",), NAMES, 0, 0, "psk", None),
    Option("encoding", ("encoding",), NUMBER, 0, 2, None, 2),
    Option("negotime", ("negotime_s",), NUMBER, 10, 300, None, 45),
    Option("version", ("version",), NUMBER, 0, 255, None, TLS1_2),
    Option("ciphersuite", ("ciphersuite",), HEX, 0, 0xFFFF, None, 0),
    Option("session", ("session",), FLAG, 0, 1, None, 1),
    Option("ignorestamp", ("ignorestamp",), FLAG, 0, 1, None, 0),
    Option("ignoreverify", ("ignoreverify",), FLAG, 0, 1, None, 0),
    Option("sni", ("sni",), FLAG, 0, 1, "sni", None),
)

# Those of the manual V5.3.0: all but "sni", which later ones have
OPTIONS = tuple([option.name for option in ROWS if option.name != "sni"])
