# SPDX-License-Identifier: MIT
"""From an SSL context to the handshake that it asks for; what is missing fails before any byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .network import TLS_RESOURCE, TlsRequest
from .store import CERT, KEY, pem_ok
from .wire import Refusal

if TYPE_CHECKING:
    from .module import Module


def _load(module: Module, kind: int, name: str) -> bytes | None:
    if not name:
        return None
    data = module.store.objects.get((kind, name))
    if data is None:
        raise Refusal(762)
    if not pem_ok(kind, data):
        raise Refusal(module.quirks.bad_pem_code)
    return data


def request(module: Module, ssl_id: int) -> TlsRequest:
    """The handshake of context `ssl_id`. Refusal with the code when it cannot even begin."""
    contexts = module.contexts
    auth = contexts.value(ssl_id, "auth")
    ca_name, cert_name, key_name = contexts.names(ssl_id)
    psk = bool(contexts.get(ssl_id, "psk")[0])
    if psk and not (ca_name or cert_name or key_name):
        module.note("PSK handshakes cannot be simulated: Python's ssl has none before 3.13")
        raise Refusal(TLS_RESOURCE)
    ca = _load(module, CERT, ca_name) if auth >= 1 else None
    ignoreverify = bool(contexts.value(ssl_id, "ignoreverify"))
    if auth >= 1 and ca is None and not ignoreverify:
        raise Refusal(module.quirks.no_ca_code)
    mutual = auth == 2
    return TlsRequest(
        auth=auth,
        ca=ca,
        cert=_load(module, CERT, cert_name) if mutual else None,
        key=_load(module, KEY, key_name) if mutual else None,
        psk=psk,
        version=contexts.value(ssl_id, "version"),
        suite=contexts.value(ssl_id, "ciphersuite"),
        negotime=float(contexts.value(ssl_id, "negotime")),
        session=bool(contexts.value(ssl_id, "session")),
        ignorestamp=bool(contexts.value(ssl_id, "ignorestamp")),
        ignoreverify=ignoreverify,
        date=module.date(),
        bad_pem_code=module.quirks.bad_pem_code,
        resumes=module.quirks.session_resumes and bool(contexts.value(ssl_id, "session")),
        sni=module.quirks.host_sent == "always" or bool(contexts.value(ssl_id, "sni")),
        check_host=module.quirks.host_checked,
        oldest=module.profile.versions[0],
    )
