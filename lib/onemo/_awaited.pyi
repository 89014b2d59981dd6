# SPDX-License-Identifier: MIT
#
# The asyncio front as type checkers see it. Made from modem.py, aio.py, certs.py, tls.py and the
# modules with a class Methods by `make packages`.

from collections.abc import AsyncIterator, Awaitable
from typing import Any, List

from .aio_udp import Datagrams
from .model_info import ModelInfo
from .net_stand_in import SocketModule
from .net_stand_in import StandIns
from .aio_stream import Stream

class CertStore:
    """Certificates, private keys and PSKs in the module, by name. Got as `modem.certs`.

    A name is a str of 1..64 printable ASCII characters without quote, comma or backslash:
    ValueError before anything is sent. Every method raises CommandError if the module refuses,
    Timeout, ModemReset."""

    encoding: int
    newline: bytes | None
    psk_verified: str | None

    def __init__(self, modem) -> None:
        ...

    async def write(self, name: str, source, kind: int=..., *, size: int | None=None, force: bool=False, in_use_ok: bool=False, progress=None, inline: bool=False, check_length: str | None=None) -> bool:
        """Write a PEM certificate (CERT) or private key (KEY) into the module and check it there
        (manual 3.2, 3.3).

        `source`: a path, or a stream with readinto; `size` in bytes is needed for a stream that
        cannot be rewound. False: the same content is there already and nothing was written (not
        with `force`). True: the module's digest (manual 3.8) equals the one computed on the way
        out. progress(done, total) gets bytes.

        Only the PEM blocks are sent, with their line ends: text around them, spaces at line ends
        and EC PARAMETERS are passed over, and sizes, digest and the 8192-byte limit are of the
        blocks. A stream is read from where it stands; one that cannot be rewound must hold nothing
        but blocks.

        `inline`: put the data inside the commands, in `encoding`, as models without `>` need it;
        others take it as well. What they store for a line end is their affair, so `sync`, which
        writes behind `>`, may find the content different. `check_length`: have the module check
        the <length> of each such command, "typed" (the characters, as the manual says) or
        "decoded" (the bytes that they stand for, as modules were seen to count); the digest
        decides either way.

        ValueError, before a byte is sent, for content that is no such PEM or over 8192 bytes, with
        the cause and a remedy; also if other content would replace what an open connection uses,
        unless `in_use_ok`. VerifyError if the digests differ."""

    async def read(self, name: str, sink) -> int:
        """Stream a certificate into sink.write as the module holds it; returns the number of bytes
        (manual 3.4). Private keys cannot be read. The buffer that sink.write gets is valid during
        the call only."""

    async def list(self, kind: int=...) -> List[tuple[str, int]]:
        """[(name, size in bytes), ...] of the CERTs, KEYs or PSKs in the module (manual 3.5)."""

    async def remove(self, name: str, missing_ok: bool=False, *, in_use_ok: bool=False) -> bool:
        """Remove a certificate or key, and look whether it is gone (manual 3.6). Returns True if
        it was there: without `missing_ok` a missing one is CommandError, 762 on most modules, and
        nothing is sent that removes. VerifyError if it is still there.

        ValueError, before anything is sent, if an open connection uses it, for the manual warns of
        that; `in_use_ok` allows it."""

    async def digest(self, name: str, algorithm: int=0) -> str:
        """The module's check code of a certificate, key or PSK: lower-case hex (manual 3.8). All
        models have MD5 (0); SHA1, SHA256 and CRC are MN316-S's: Unsupported elsewhere, nothing is
        sent."""

    async def algorithms(self) -> List[int]:
        """The algorithms that the module says MSSLCHECK has: its test form (manual 3.8). A list of
        MD5, SHA1, SHA256, CRC."""

    async def write_psk(self, pskid: str, psk: str | bytes) -> bool:
        """Add a pre-shared key (manual 3.7; no 4G model has it). `psk`: 1..8192 printable ASCII
        characters without quote or backslash, and the command must fit the module's line. It is
        checked by MSSLCHECK if the module answers that for a PSK, else by its length in MSSLLIST:
        `psk_verified` says which. A PSK that is there under this id is removed first.

        ValueError, TypeError or Unsupported before anything is sent; VerifyError."""

class TLSContext:
    """Part of TLSContext, loaded when it is called."""

    ssl_id: int

    def __init__(self, modem, ssl_id: int) -> None:
        ...

    def configured(self) -> bool:
        """True once configure() was called."""

    def noted(self, settings=None) -> Any:
        """What configure() was asked for, {option: value}. `settings` takes its place."""

    def checks_dates(self) -> bool:
        """True if validity dates count, so that the module's clock must be right."""

    def configure(self, auth: int=..., *, ca: str | None=None, cert: str | None=None, key: str | None=None, pskid: str | None=None, version: int | None=..., ciphersuite: int | None=0, negotime_s: int | None=45, session: bool | None=True, ignorestamp: bool | None=False, ignoreverify: bool | None=False, sni: bool | None=None, allow_broken: bool=False, send: bool=True) -> Awaitable[None]:
        """Set every option of this context and read each back (manual 3.1).

        `ca`, `cert`, `key`, `pskid`: names in the module's store. `negotime_s`: seconds, 10..300.
        `ciphersuite`: an id of the manual's appendix 5.1; 0 leaves the choice to module and
        server; a broken one needs `allow_broken`. `sni`: tell the server which host is meant,
        which MR880A can (manual V5.4.5, 3.1); None: where the model can, and `auth` verifies.
        With `send=False` the settings are noted only, and sent when they are first needed.

        Modules are not documented to compare the server's name with its certificate: whoever holds
        a certificate that `ca` vouches for is accepted for any host. Use a CA of your own as `ca`,
        one that signs nothing but your servers.

        An option that the firmware does not have (it refuses it, or says OK, does not keep it and
        does not list it in AT+MSSLCFG=?) is told as an "absent" event, see `on_event`; it is
        Unsupported if another value than the default was asked for. `auth` and the names must be
        there, and an `ignoreverify` that stays on is an error.

        None for `negotime_s`, `version`, `ciphersuite`, `session`, `ignorestamp` or `ignoreverify`
        leaves the option as the module has it: a fresh one checks no dates and takes SSL 3.0.

        AUTH_SERVER needs `ca`, unless `pskid` or `ignoreverify` takes its place; AUTH_MUTUAL needs
        `ca`, `cert` and `key`.

        ValueError, TypeError or Unsupported before anything is sent; VerifyError if the module
        does not keep a value."""

    async def read(self) -> dict[str, Any]:
        """Every option as the module has it now: a dict with configure's parameter names and
        types, and `encoding`. None: a name that is unset, or an option that the firmware does not
        have."""

    async def read_all(self, option: str) -> list[tuple[int, Any]]:
        """One option of every ssl_id, as MSSLCFG="<option>" lists it: [(ssl_id, value), ...]. The
        value of "cert" is (ca, cert, key). ValueError, Unsupported."""

    async def set(self, option: str, value, *, allow_broken: bool=False) -> Any:
        """Set one option of this context alone and read it back (manual 3.1). `option` and `value`
        are as in configure(), or the manual's: "negotime_s" or "negotime", "pskid" or "psk". The
        value of "cert" is the CA's name, which is written in the manual's short form and unbinds
        the other two, or (ca, cert, key) with None for what is not used. "encoding" is one for all
        contexts: `certs.encoding` follows.

        A context that configure() was called for keeps the value from now on; for one that it was
        not, configure() is still needed before connect. What configure() refuses is refused here,
        before anything is sent; Unsupported, VerifyError."""

    async def get(self, option: str) -> Any:
        """One option of this context as the module has it now, with the types of read();
        (ca, cert, key) for "cert". None: unset, or the firmware does not have it. ValueError,
        Unsupported."""

    async def options(self) -> Any:
        """The options that the firmware says it has: a list of the names in the test form
        AT+MSSLCFG=? (manual 3.1). Firmware exists that takes more than it lists."""

class Modem:
    """A OneMO module on a UART; methods are awaited. A task that is cancelled leaves the modem
    usable for the others."""

    channel: Any
    packet: int
    line_max: Any
    model: str | None
    profile: Any
    boot_count: int
    epoch: Any
    partial_upload: Any
    unverified: Any
    contexts: Any
    sources: Any
    capabilities: Any
    store: Any
    encoding: Any
    newline: Any
    psk_verified: Any
    event_handler: Any
    power: Any
    module_clock: Any
    absent: Any
    connections: Any
    heard: Any
    firmware: Any
    reopen: Any
    rts: Any
    cts: Any
    keep_awake: Any
    settings_epoch: Any
    certs: CertStore

    def __init__(self, uart, *, baud: int=115200, model: str | None=None, buffer: int=256, packet: int=2048, line: int=1024, trace=None, reopen=None, rts: bool=False, cts: bool=False) -> None:
        """Nothing is sent yet.

        `uart`: any(), readinto(buf, n), write(buf[, n]) as machine.UART has them.
        `baud`: what it runs at, bit/s, for deadlines.
        `model`: its name, such as "ML307R" or "ML307H-GU", which is believed; None asks it.
        `buffer`: bytes of RAM for I/O, 32 or more.
        `packet`: bytes announced per CERTWR or KEYWR, 1..8192 (manual 3.2).
        `line`: longest command line that the module takes, characters, 160 or more; for models
        that take data only inside commands.
        `trace(direction, data)`: sees all UART traffic, ">" to the module and "<" from it, except
        keys, PSKs and, unless it has an attribute `identifiers` that is true, what identifies the
        module or its SIM (IMEI, ICCID, IMSI).
        `reopen(baud)`: returns the UART at another speed (`uart.reopen` makes one), so that
        start() finds a module that runs at one.
        `rts`, `cts`: the UART uses that line, so that the module is to as well (AT+IFC).

        ValueError or TypeError for a value out of range.
        """

    def require_model(self) -> Any:
        """What the model can do, see model.py. ModemError before the module is identified."""

    def set_uart(self, uart) -> None:
        """Use `uart` from now on."""

    async def command(self, text: str | bytes, timeout_ms: int=..., *, expect: str | bytes | None=None) -> list[bytes]:
        """Send `AT` + `text`; returns the list of its information lines, as bytes. A pasted line
        with its AT, in small letters or with a line end, works as well. Lines that
        begin with another command's name, `+OTHER:`, are none of them: they go to URC handlers.
        `expect`: how the lines begin, if not with the command's own name. Keys and PSKs in it are
        kept out of traces and errors. A query, or what `expect` is given for, that is answered by
        nothing but OK is followed by another query, which may wait as long again, 5 s at the most.

        ProtocolError, in step, for a line longer than 2048 bytes; for an answer of nothing but OK
        that the query behind it does not confirm, unless the command restarts the module;
        CommandError, Timeout after `timeout_ms` milliseconds, ModemReset; ValueError for a text
        that is not one line."""

    def on_urc(self, prefix: bytes, handler) -> None:
        """Call handler(line) for each unsolicited line that begins with `prefix`. `line` is bytes,
        a copy. Handlers run while the driver waits and must not issue commands."""

    def on_event(self, handler) -> None:
        """Call handler(kind, text) for what the library notices and the caller should know; `text`
        is a sentence. `kind`:

        "reboot": the module rebooted, or had to be. "recovery": getting in step again took more
        than a query. "identity": what was proven is kept in place of what the profile names.
        "stray": an object that nobody wrote. "journal": a file that is no journal was set aside.
        "absent": an option that the firmware does not have. "model": a model that nobody knows was
        asked what it can do. "baud": the module stays at another speed than start() was given.
        "flow", "sleep": it has no flow control, or may fall asleep. "negotime": connect has less
        time than the handshake may take. "clock": the module's clock is believed without a
        comparison. "attach": what attach() did, or waits for and how long. "denied": the network
        denies registration.

        Handlers run in the middle of an operation and must not issue commands. The library prints
        nothing."""

    def tls(self, ssl_id: int) -> TLSContext:
        """TLS context `ssl_id` (manual 3.1): the same object for the same id. Nothing is sent yet.
        ValueError for an id that the model does not have."""

    def set_model(self, response: str | bytes) -> None:
        """Select the model from its name, or from an answer to AT+CGMM."""

    async def start(self, timeout_ms: int=..., *, baud: int | None=None) -> None:
        """Find the module in whatever state it is, switch its echo off and numbered errors on
        (ATE0, AT+CMEE=1), and identify it (AT+CGMM, AT+CGMR, ATI): `model`, `firmware`,
        `model_info`. One that the library does not know is asked what it can do. Models that are
        delivered to sleep are kept awake, unless `keep_awake` is False.

        With Modem(reopen=...) a module at 9600, 115200, 460800 or 921600 bit/s is found, and
        `baud` brings it to another speed, as `set_baud` does; a speed that it does not take is
        told as a "baud" event. Without `baud` module and UART stay at the speed that was found.

        Called again it leaves connections alone, unless the module shows that it rebooted, and
        settings are sent again before they are next used.

        Timeout if it does not answer within `timeout_ms` milliseconds; Unsupported for a module of
        another brand, or of the first generation; ProtocolError if it says something else each
        time that it is asked; ValueError for a `baud` without `reopen`."""

    @property
    def model_info(self) -> ModelInfo:
        """What is known of the module, as an object to be printed: what it said that it is, where
        the library knows its model from, what it can do, and what its firmware lacks."""

    @property
    def is_known_model(self) -> bool:
        """True if the library's table has the model. One that it has not is treated as able to do
        what all can: `model` is None then, and str(require_model()) what it calls itself."""

    async def reboot(self, timeout_ms: int=...) -> None:
        """Reboot the module (AT+MREBOOT) and set it up again. Its connections are gone; TLS
        contexts are sent again before they are next used.

        Timeout if it does not answer again within `timeout_ms` milliseconds; CommandError."""

    async def set_baud(self, baud: int, reopen=None, timeout_ms: int=90000) -> None:
        """Change the speed of module (AT+IPR) and UART to `baud` bit/s; before `start()` or after
        it. reopen(baud) returns the UART at that speed (`uart.reopen` makes one); None: that of
        Modem(reopen=...). The module keeps its speed over resets; a module that an earlier run
        left at another speed is found.

        Timeout if it is not found within `timeout_ms` milliseconds, or, at the speed from before,
        if the line is not good for the new one; CommandError if the module has no such speed."""

    async def attach(self, apn: str | None=None, *, pdp_type: str | None=None, user: str | None=None, password: str | None=None, auth: str='chap', pin: str | None=None, pin_file: str='onemo.pin', dns_priority: str | None=None, timeout_ms: int=120000) -> list[str]:
        """Make the module be online, and return the addresses of PDP context 1, a list of str:
        radio on (AT+CFUN=1), SIM ready, registered, packet service attached (AT+CGATT=1), context
        up. What is as wanted is left alone; what was done is told, see `on_event`.

        `apn`: the context has this one and no other: it is set and dialled anew where it differs.
        None: whichever the module has. `pdp_type`: "IP", "IPV6" or "IPV4V6"; None: as the module
        has it. `user`, `password`: what the APN asks for, by `auth`, "chap" or "pap"
        (AT+CGAUTH). `pin`: of the SIM, 4 to 8 digits; it is never tried twice if the SIM does not
        accept it, for which `pin_file` remembers the attempt. `dns_priority`: "IP" or "IPV6",
        which of a name's addresses are tried first where the module can be told (AT+MDNSCFG);
        None: as it does by itself.

        Timeout, after `timeout_ms` milliseconds, says what was missing: a registration that was
        denied, for instance; CommandError 10 without a SIM, after 30 s; ModemError for a SIM that
        needs a person; VerifyError if the context has another APN; ValueError or TypeError for a
        parameter that cannot be one."""

    async def sleep_mode(self, enabled: bool, *, delay_s: int | None=None, permanent: bool=False) -> Any:
        """Let the module sleep while nothing goes on, or keep it awake (AT+MLPMCFG; vendor's
        extended AT manual 4.10). From then on it is woken before a command: by its DTR pin if
        `modem.power` has one, else by `AT` until it answers. Connections stay.

        `delay_s`: seconds until it sleeps, 0 to 300; None: as the module has it. `permanent`: over
        a reboot of the module as well.

        Unsupported if the model or firmware has no such setting; VerifyError, CommandError,
        Timeout, ModemReset."""

    async def clock(self, timeout_ms: int=30000) -> tuple[int, ...]:
        """The time, UTC, as a tuple like time.gmtime's: from the module's clock (AT+CCLK), which
        the network or a time server sets (AT+MNTP; the network must be attached). The first time
        after a boot of the module it is compared with the server's, for firmware is known whose
        clock has UTC and says +32 all the same. If no server answers, it is believed as it is on
        models that are not known for that, and told as a "clock" event. Sets the board's own
        clock, machine.RTC, if it has one.

        ClockError, which says what was found, if the time is not known within `timeout_ms`
        milliseconds or clock and server differ."""

    async def info(self, identifiers: bool=True) -> dict[str, Any]:
        """What the module says of itself and of the network, as a dict: "model", "firmware",
        "imei", "iccid", "imsi"; "rssi_dbm" (AT+CSQ), "rsrp_dbm", "rsrq_db" (AT+CESQ), "sinr_db",
        "operator"; "tac", "cell_id" (as the network writes them, hexadecimal), "mcc", "mnc",
        "earfcn", "pci". None for what it does not say, such as the IMSI without a SIM.

        `identifiers=False` leaves IMEI, ICCID and IMSI out, for logs and telemetry. Traces do not
        show them, see `onemo.trace`. Timeout, ModemReset."""

    def use_as_socket(self, tls: TLSContext | None=None) -> StandIns:
        """Make libraries that `import socket` use the module, unchanged, if they are imported
        after this: puts `socket_module(tls)` into sys.modules as `socket` and `usocket`. Returns
        what undoes it: a context manager, with a method `undo()` as well.

        `tls`: every connection is TLS by this configured context; `ssl`, `ussl` and `tls` are put
        in as well, so that a library's https:// or `wrap_socket` means that TLS. Without it
        connections are plain, and TLS on top of them is the board's own `ssl`, if it has that."""

    async def restore(self) -> None:
        """Write every certificate, key and PSK again that is missing, and send every context's
        settings again, from their sources: for MN316 and MN326, which lose them all in deep sleep
        (manual 3.1, note), with +MATREADY or without a word. Streams are read again from where
        they stood; ValueError names one that cannot be, once all else is back."""

    async def sync(self, profile: dict, *, dry_run: bool=False, remove_foreign: bool=False, progress=None, journal: str='onemo.rotate') -> list[tuple[str, Any]]:
        """Make the module have what `profile` says (see profile.py), touching only what differs:
        remove, write, verify, set contexts, read them back. A rotation that was cut off is
        finished, or undone if it was not proven (see provisioning_rotate.py). Returns what was
        done, in order: [("remove", name), ("write", name), ("configure", ssl_id), ...].

        `dry_run`: only say what would be done. `remove_foreign`: remove what the profile does not
        name, which is left alone otherwise. progress(name, done, total) gets bytes. `journal`: the
        file that a rotation keeps. An object whose file is missing is left as it is if the module
        has one of that name and kind.

        ValueError before anything is changed for a wrong profile or file; else as `certs.write`
        and `TLSContext.configure`. After an error the next call does the rest."""

    async def identity(self, journal: str='onemo.rotate') -> dict[str, Any]:
        """What is in force, as a dict: "objects" ({name: True if the module has it, with the
        digest that was proven}), "contexts", "proven" (True if a rotation's trial decided),
        "since" (UTC, ISO 8601; None if the board's clock was not set, or for what was not proven),
        "under_way" (None; "add": another is being brought in; "drop": the old one is being
        removed), "coming" and "leaving" (names).

        `journal`: the file that a rotation keeps. CommandError, Timeout, ModemReset."""

    async def rotate(self, profile: dict, trial=None, *, old: dict | None=None, journal: str='onemo.rotate') -> bool:
        """Go over to another identity: its objects, under names of their own, are written beside
        the old ones and verified, the contexts are set to them, a connection decides, and only
        then are the old ones removed. True: `profile` is in force. False: it was already. An
        error: the old identity is in use again, and nothing of the new one is left. If that was
        not possible (no power, no answer), the next `sync` or `rotate` sees to it.

        `trial`: a dict such as {"host": ..., "port": ..., "ssl_id": ...}, by default the profile's
        "endpoint"; or a function that is called with the modem (and awaited by the asyncio front),
        and refuses by raising or by returning False. `old`: the profile in use, by default that of
        the last `sync`. The application may go on giving `sync` the old profile, or the new one
        from now on. Files of the old identity must stay until the new one is in force. Close
        connections that use the old objects before."""

    async def udp(self, host: str, port: int, timeout_ms: int=60000) -> Datagrams:
        """UDP to and from one host and port: `await` its send(data), recv(n), recv_into(buf),
        close; settimeout. The module keeps datagrams of up to 1460 bytes until they are asked for.
        `timeout_ms` bounds the look-up of the name.

        CommandError, Timeout."""

    def socket_module(self, tls: TLSContext | None=None) -> SocketModule:
        """A stand-in for the module `socket` under MicroPython's asyncio, whose sockets never
        wait: for `asyncio.open_connection`, aiohttp, mqtt_as and the like; see `use_as_socket`.
        Connections are TLS by the configured context `tls`, else TCP. Code that blocks needs the
        blocking onemo.Modem."""

    async def run(self) -> None:
        """Serve URCs while nobody talks, for ever: for products with handlers of their own
        (`on_urc`). To be started as a task."""

    def ciphers(self) -> AsyncIterator[int]:
        """Iterate (async for) the ids of the cipher suites that the module supports (manual 3.9);
        see `suites`. They are fetched at once, two bytes each, so that leaving half-way keeps no
        other task from the module. Unsupported if the model does not list them."""

    async def connect(self, host: str, port: int, tls: TLSContext | None=None, timeout_ms: int=60000, *, ssl: Any | None=None, id: int | None=None) -> Stream:
        """Open a TCP connection, or a TLS connection by the configured context `tls` (manual 4.1);
        returns a stream. `timeout_ms` milliseconds, at least 6000, bound DNS, TCP and TLS
        together. `id`: the connect_id to use; None takes a free one. Other tasks may talk while
        the module connects.

        `ssl`: an SSLContext of MicroPython's `ssl`: TLS on the board instead of in the module,
        with `host` as the name that the server's certificate must have; see docs/tls-where.md.
        The stream is one of asyncio's own then, and as always there the handshake is part of its
        first `drain` or read, which raises what is wrong.

        CommandError with the module's reason (752: the server's certificate was not accepted);
        Timeout; ClockError if dates are to be checked and the module's clock is not set;
        VerifyError if TLS would not be used."""
