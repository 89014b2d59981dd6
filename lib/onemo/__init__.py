# onemo: certificates into a OneMO cellular module, verified TLS connections out of it.
# Public names are loaded when first used, so that importing onemo costs next to nothing.

__version__ = "0.1.0"

_NAMES = (
    ("blocking", "Modem"),
    ("certs", "CERT KEY PSK"),
    ("inventory", "MD5 SHA1 SHA256 CRC"),
    ("inline", "ASCII HEX ESCAPED"),
    ("tls", "AUTH_NONE AUTH_SERVER AUTH_MUTUAL SSL3 TLS1_0 TLS1_1 TLS1_2 TLS_ANY"),
)


def load(module, name):
    """What one of our modules calls `name`."""
    return getattr(__import__("onemo." + module, None, None, (name,)), name)


def method(owner, elsewhere, name):
    """A method of `owner` that stands in a module of its own: loaded when first called, its
    class's from then on. `elsewhere` is names of methods, each with its module's.

    Not when it is only looked up: MicroPython's dir(), and with it the REPL's completion, asks for
    every name there is."""
    words = elsewhere.split()
    if name not in words[::2]:
        raise AttributeError("%s has no %s" % (type(owner).__name__, name))
    module = words[2 * words[::2].index(name) + 1]

    def call(*args, **settings):
        setattr(type(owner), name, load(module, name))
        return getattr(owner, name)(*args, **settings)

    return call


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    for module, names in _NAMES:
        if name in names.split():
            value = globals()[name] = load(module, name)
            return value
    try:
        return __import__("onemo." + name, None, None, (name,))
    except ImportError:
        raise AttributeError("onemo has no " + name)
