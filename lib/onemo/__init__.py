# onemo: certificates into a OneMO cellular module, verified TLS connections out of it.
# Public names are loaded when first used, so that importing onemo costs next to nothing.

__version__ = "0.1.0"

_NAMES = (
    ("blocking", "Modem"),
    ("certs", "CERT KEY PSK MD5 SHA1 SHA256 CRC ASCII HEX ESCAPED"),
    ("tls", "AUTH_NONE AUTH_SERVER AUTH_MUTUAL SSL3 TLS1_0 TLS1_1 TLS1_2 TLS_ANY"),
)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    for module, names in _NAMES:
        if name in names.split():
            value = globals()[name] = getattr(
                __import__("onemo." + module, None, None, (name,)), name
            )
            return value
    try:
        return __import__("onemo." + name, None, None, (name,))
    except ImportError:
        raise AttributeError("onemo has no " + name)
