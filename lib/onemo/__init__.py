# onemo: certificates into a OneMO cellular module, verified TLS connections out of it.
# Public names are loaded when first used, so that importing onemo costs next to nothing.

_FROM = {
    "Modem": "blocking",
    "CERT": "certs",
    "KEY": "certs",
    "PSK": "certs",
    "MD5": "certs",
    "SHA1": "certs",
    "SHA256": "certs",
    "CRC": "certs",
    "ASCII": "certs",
    "HEX": "certs",
    "ESCAPED": "certs",
    "AUTH_NONE": "tls",
    "AUTH_SERVER": "tls",
    "AUTH_MUTUAL": "tls",
    "SSL3": "tls",
    "TLS1_0": "tls",
    "TLS1_1": "tls",
    "TLS1_2": "tls",
    "TLS_ANY": "tls",
}
_MODULES = ("aio", "blocking", "codes", "errors", "identity", "suites", "uart")


def __getattr__(name):
    if name in _FROM:
        module = __import__("onemo." + _FROM[name], None, None, (name,))
        value = globals()[name] = getattr(module, name)
        return value
    if name in _MODULES:
        return __import__("onemo." + name, None, None, (name,))
    raise AttributeError("onemo has no " + name)
