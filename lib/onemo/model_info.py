# SPDX-License-Identifier: MIT
#
# What is known of the module at hand, in words. Loaded when asked for.

from ._port import IS_BOARD, const, unload
from .errors import Unsupported

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any
elif IS_BOARD:

    def property(method):  # noqa: A001
        return method  # the modem's __getattr__ calls it


_SOURCES = (
    ("M", "the SSL manual V5.3.0"),
    ("N", "later manuals"),
    ("F", "modules in the field"),
    ("Q", "one other source"),
)
_VERSIONS = {0: "SSL 3.0", 1: "TLS 1.0", 2: "TLS 1.1", 3: "TLS 1.2"}
_ALGORITHMS = ("MD5", "SHA1", "SHA256", "CRC")


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        require_model: Any

    @property
    def model_info(self) -> "ModelInfo":
        """What is known of the module, as an object to be printed: what it said that it is, where
        the library knows its model from, what it can do, and what its firmware lacks."""
        unload("model_info")
        return ModelInfo(self)

    @property
    def is_known_model(self) -> bool:
        """True if the library's table has the model. One that it has not is treated as able to do
        what all can: `model` is None then, and str(require_model()) what it calls itself."""
        unload("model_info")
        return self.require_model().known


class ModelInfo:
    """What is known of the module at hand, to be printed: see BaseModem.model_info."""

    def __init__(self, modem):
        self._modem = modem

    def __str__(self):
        return "\n".join(lines(self._modem))


def source_of(model):
    """Where a Model's abilities are known from, in words."""
    if not model.known:
        if model.certain:
            return "the module itself, which was asked"
        return "its name alone: what every model of its kind has"
    words = [text for letter, text in _SOURCES if letter in model.source]
    return ", ".join(words) or "the name that it was given"


def lines(modem):
    """What is known of the module, as a list of str."""
    model = modem.capabilities
    if model is None:
        return ["the module is not identified yet: call start() first"]
    found = [str(model)]
    found.append("firmware: %s" % (modem.firmware or "not asked, or not said"))
    for line in modem.heard.split("\n"):
        found.append("heard: " + (line or "nothing, its name was given"))
    found.append("known from: " + source_of(model))
    if not model.tls:
        found.append("TLS: none, sockets only")
    else:
        text = "TLS: yes" if model.mipcfg_ssl else "TLS: if the module takes it"
        if model.tls_links:
            text += ", %d connections at once" % model.tls_links
        found.append(text)
        found.append(
            "versions: %s"
            % ", ".join([_VERSIONS[n] for n in sorted(_VERSIONS) if n in model.versions])
        )
        found.append("ssl_id: 0..%d" % (model.ssl_ids - 1))
        found.append("certificates go in " + ("behind >" if model.prompt else "in the command"))
        found.append("MSSLCHECK: " + ", ".join([_ALGORITHMS[n] for n in model.algorithms]))
        for name, has in (
            ("PSK", model.psk),
            ("MSSLCIPHER", model.ciphers),
            ("SNI", model.sni),
        ):
            found.append("%s: %s" % (name, "yes" if has else "no"))
        if model.ram_store:
            found.append("store: lost at each boot")
        elif model.volatile:
            found.append("store: may be lost in deep sleep")
    found.append("connections: %d" % model.connections)
    if modem.absent:
        found.append("the firmware has no: " + ", ".join(modem.absent))
    return found


def refuse_tls(model):
    """Unsupported for whatever needs TLS, on a model that has none."""
    raise Unsupported(
        "%s has no TLS and stores no certificates (TCP/IP manual V5.1.5, note 1): use another "
        "model, or connect without TLS" % model
    )
