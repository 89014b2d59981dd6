# SPDX-License-Identifier: MIT
#
# What the numbers mean that a module answers, and what to do: manual 5.2; 550..582: the vendor's
# TCP/IP manual. Loaded only when an error is printed. Many small strings rather than a large one,
# since a board whose heap is in pieces has to be able to load them.

# fmt: off
_CODES = (
    -1, "connecting failed, no reason given|check address, port and signal, then retry",
    1, "connecting failed (NB modules never say why)|check address, port, signal, certificates",
    3, "not allowed now|wait some seconds and retry",
    10, "no SIM|insert the SIM, check its holder, then reboot the module",
    11, "the SIM asks for its PIN|pass modem.attach(pin=...), or switch the PIN off with a phone",
    12, "the SIM asks for its PUK|unlock it with a phone",
    13, "SIM failure|clean or change the SIM, then reboot the module",
    14, "SIM busy|wait some seconds and retry",
    16, "wrong PIN or password|check it before the next try: three wrong PINs block a SIM",
    50, "parameter error|check the values against the manual, and that this model has the command",
    550, "unknown TCP/IP error|close the connection and retry; if it stays, reboot the module",
    551, "connection id not in use|open the connection first",
    552, "connection id in use|close it (AT+MIPCLOSE) or take another id",
    553, "not connected|the connection is gone: open it again",
    554, "no socket could be created|close connections that are not needed, or reboot the module",
    555, "binding to the local port failed|take another local port, or none",
    556, "listening failed|close connections that are not needed",
    557, "connection refused|check the port, that the server runs, and its firewall",
    558, "connecting timed out|check address, port, signal and the server's firewall, then retry",
    559, "connecting failed|check address, port and signal, then retry",
    560, "sending failed|the connection is gone: close it and open it again",
    561, "receiving failed|the connection is gone: close it and open it again",
    562, "accepting a connection failed|close connections that are not needed",
    570, "no data connection (PDP context)|attach first; check signal, APN and data plan",
    571, "the data connection was refused|check the APN and the SIM's data plan",
    572, "the data connection could not be ended|retry, or reboot the module",
    575, "no APN|set the one of your SIM: modem.attach(apn=...)",
    576, "local port in use|take another local port, or none",
    577, "IPv4 or IPv6 not available|use an address of the other kind, or an APN that offers both",
    580, "host name not found, or bad address|check its spelling, the signal, and DNS on this APN",
    581, "DNS busy|wait a second and retry",
    582, "ping busy|wait for the ping that runs",
    750, "unknown TLS error|retry; if it stays, reboot the module and read back the TLS settings",
    751, "no resources for TLS|close other TLS connections; check that the PSK or keys exist",
    752, "the server's certificate failed verification|check that the CA in the module is "
         "the server's (certs.list, certs.digest), its dates, and the module's clock",
    753, "the TLS handshake timed out|check the signal, raise negotime_s, and see that the "
         "server speaks TLS on this port",
    754, "the TLS handshake failed|check version and ciphersuite against the server (TLS 1.2 "
         "is the newest), and that it accepts your certificate and key",
    760, "unknown error of certificates or keys|retry; if it stays, remove it and write it again",
    761, "invalid certificate or key|write it again, from a whole and unencrypted PEM file",
    762, "no such certificate or key|check the name with certs.list(), or write it first",
    763, "the name is taken|remove it first (certs.remove), or take another name",
    764, "writing a certificate or key failed|remove what is not needed, then write it again",
    765, "another certificate or key is being written|finish or remove that one, or reboot",
    766, "reading a certificate or key failed|write it again; private keys can never be read",
    767, "removing a certificate or key failed|close the connections that use it, then retry",
    768, "certificate or key too large|8192 bytes are the most: make the bundle smaller",
    769, "loading a certificate or key failed|its content is none that the module's TLS can use: "
         "a key that does not belong to the certificate, Ed25519, explicit EC parameters; check "
         "with openssl x509 -text and openssl pkey -text, and make an RSA or P-256 key",
)
# fmt: on


def describe(code):
    """(text, remedy) of a code of +CME ERROR or +MIPOPEN; for an unknown one too."""
    for at in range(0, len(_CODES), 2):
        if _CODES[at] == code:
            return tuple(_CODES[at + 1].split("|"))
    return "unknown code", "look it up in the module's AT manuals, then retry"


def explain(code):
    """Both in one str: "no APN: set the one of your SIM: ..."."""
    return "%s: %s" % describe(code)


def every():
    """Iterates all codes that are known here."""
    for at in range(0, len(_CODES), 2):
        yield _CODES[at]
