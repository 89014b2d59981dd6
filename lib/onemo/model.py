# SPDX-License-Identifier: MIT
#
# What one model of the module can do. Which model can do what is in models.py.


class Model:
    """What one model can do. The class has what most 4G series have, an instance what differs.

    name: the series, or what an unknown module calls itself. series: None for an unknown one.
    known: False for a model that models.py does not name. certain: False until a module whose
    name does not tell everything was asked.
    """

    known = True
    certain = True
    source = ""  # where it is known from: M, N manuals, F the field, Q one other source
    tls = True  # False: it has sockets only, no certificates and no TLS
    ssl_ids = 6  # ssl_id 0..ssl_ids - 1
    connections = 6  # connect_id likewise
    tls_links = None  # TLS connections at once; None: no limit is documented
    prompt = True  # takes data behind ">" (certificates, keys, MIPSEND)
    encodings = (2,)  # MSSLCFG "encoding": 0 ASCII, 1 hex, 2 escaped string
    algorithms = (0,)  # MSSLCHECK: 0 MD5, 1 SHA, 2 SHA256, 3 CRC
    versions = (0, 1, 2, 3, 255)  # MSSLCFG "version": SSL 3.0, TLS 1.0, 1.1, 1.2, all
    suite_0x = False  # MSSLCFG "ciphersuite" wants 0x before its digits
    sni = False  # has MSSLCFG "sni"
    psk = False  # has pre-shared keys
    ciphers = True  # lists its cipher suites
    volatile = False  # deep sleep, or power-off, loses certificates and settings
    ram_store = False  # so does each boot
    clock_zoned = True  # AT+CCLK has local time; False: seen with UTC, whatever its zone says
    mipcfg_ssl = True  # False: said not to have MIPCFG "ssl"; ask, the manuals disagree
    send_prompt = 8192  # bytes that a MIPSEND takes behind ">"
    send_inline = 1460  # characters that a MIPSEND takes inside the command
    read_max = 4096  # bytes that a MIPRD gives at once
    packet_reads = False  # and of one packet only, however many wait
    sleeps = False  # as delivered its UART falls asleep (MLPMCFG "sleepmode")
    sleep_permanent = False  # takes that setting only for good

    def __init__(self, name, series, facts):
        self.name = name
        self.series = series
        for fact in facts:
            setattr(self, fact, facts[fact])

    def __str__(self):
        return self.name if self.known else self.name + " (a model unknown here)"

    def __repr__(self):
        return "<Model %s%s>" % (self.name, "" if self.known else ", unknown")
