# SPDX-License-Identifier: MIT
#
# onemo: certificates into a OneMO cellular module, verified TLS connections out of it.
# Public names are loaded when first used, so that importing onemo costs next to nothing.

from ._port import const, load

__version__ = "0.1.0"

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from .blocking import Modem as Modem
    from .cert_list import CRC as CRC
    from .cert_list import MD5 as MD5
    from .cert_list import SHA1 as SHA1
    from .cert_list import SHA256 as SHA256
    from .cert_store import CERT as CERT
    from .cert_store import KEY as KEY
    from .cert_store import PSK as PSK
    from .cert_upload_inline import ASCII as ASCII
    from .cert_upload_inline import ESCAPED as ESCAPED
    from .cert_upload_inline import HEX as HEX
    from .errors import ClockError as ClockError
    from .errors import CommandError as CommandError
    from .errors import ConnectionLost as ConnectionLost
    from .errors import ModemError as ModemError
    from .errors import ModemReset as ModemReset
    from .errors import ProtocolError as ProtocolError
    from .errors import Timeout as Timeout
    from .errors import Unsupported as Unsupported
    from .errors import VerifyError as VerifyError
    from .tls_rows import AUTH_MUTUAL as AUTH_MUTUAL
    from .tls_rows import AUTH_NONE as AUTH_NONE
    from .tls_rows import AUTH_SERVER as AUTH_SERVER
    from .tls_rows import SSL3 as SSL3
    from .tls_rows import TLS1_0 as TLS1_0
    from .tls_rows import TLS1_1 as TLS1_1
    from .tls_rows import TLS1_2 as TLS1_2
    from .tls_rows import TLS_ANY as TLS_ANY
else:
    # A module and what it has, a group each.
    _HOMES = const(
        "blocking Modem,cert_store CERT KEY PSK,cert_list MD5 SHA1 SHA256 CRC,"
        "cert_upload_inline ASCII HEX ESCAPED,"
        "tls_rows AUTH_NONE AUTH_SERVER AUTH_MUTUAL SSL3 TLS1_0 TLS1_1 TLS1_2 TLS_ANY"
    )

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "Modem":
            load("errors", "at_syntax", "at_channel", "modem")
        for group in _HOMES.split(","):
            names = group.split(" ")
            if name in names[1:]:
                home = __import__("onemo." + names[0], None, None, (name,))
                value = globals()[name] = getattr(home, name)
                return value
        if "A" <= name[0] <= "Z":  # an error's class
            from . import errors

            return getattr(errors, name)
        try:
            return __import__("onemo." + name, None, None, (name,))
        except ImportError:
            raise AttributeError("onemo has no " + name)
