# The product: certificates go into the module, a verified TLS connection comes out, telemetry goes
# over it; whatever fails is told and tried again. What differs between products: config.json.

import json
import os
import random
import time
from binascii import hexlify

import machine
from onemo import AUTH_MUTUAL, AUTH_NONE, AUTH_SERVER, CERT, KEY, Modem
from onemo.errors import ModemError
from onemo.uart import open_uart

AUTH = {"none": AUTH_NONE, "server": AUTH_SERVER, "mutual": AUTH_MUTUAL}
KIND = {"cert": CERT, "key": KEY}
# What a context may say: ssl_id, and the arguments of TLSContext.configure.
CONTEXT = "ssl_id auth ca cert key version ciphersuite negotime_s session ignorestamp ignoreverify"
STEP = 512  # bytes between two lines of progress


def need(table, where, name, kind, wanted, valid=None):
    """table[name]; ValueError that says what it must be if it is missing or wrong."""
    value = table.get(name) if isinstance(table, dict) else None
    if not isinstance(value, kind) or value is True or (valid and not valid(value)):
        said = "missing" if value is None else json.dumps(value)
        raise ValueError("%s is %s; it must be %s" % (where + name, said, wanted))
    return value


def is_file(path):
    try:
        return os.stat(path)
    except OSError:
        return False


def check(config):
    """ValueError that names the first entry that is missing or wrong."""
    need(config, "", "uart", dict, 'an object such as {"id": 1, "baud": 115200, ...}')
    module = need(config, "", "module", dict, 'an object: {"model": null, "apn": null}')
    for name in ("model", "apn"):
        if module.get(name) is not None:
            need(module, "module.", name, str, "a string, or null for what the module knows")
    names = []
    for i, item in enumerate(need(config, "", "objects", list, "a list of certificates and keys")):
        where = "objects[%d]." % i
        names.append(need(item, where, "name", str, "a name in the module, such as ca.pem"))
        need(item, where, "kind", str, '"cert" or "key"', lambda kind: kind in KIND)
        need(item, where, "source", str, "the path of a PEM file on this board", is_file)
    ids = []
    for i, item in enumerate(need(config, "", "contexts", list, "a list of TLS contexts")):
        where = "contexts[%d]." % i
        ids.append(need(item, where, "ssl_id", int, "0 to 5", lambda number: 0 <= number <= 5))
        auth = need(item, where, "auth", str, '"none", "server" or "mutual"', lambda a: a in AUTH)
        for name, least in (("ca", AUTH_SERVER), ("cert", AUTH_MUTUAL), ("key", AUTH_MUTUAL)):
            if AUTH[auth] >= least:
                need(item, where, name, str, "the name of an object", lambda name: name in names)
        for name in item:
            if name not in CONTEXT.split():
                raise ValueError("%s is not known; a context has %s" % (where + name, CONTEXT))
    endpoint = need(config, "", "endpoint", dict, "an object: host, port, ssl_id, every_s")
    need(endpoint, "endpoint.", "host", str, "a host's name or address", lambda host: host)
    need(endpoint, "endpoint.", "port", int, "1 to 65535", lambda port: 1 <= port <= 65535)
    need(endpoint, "endpoint.", "ssl_id", int, "a context's ssl_id", lambda number: number in ids)
    need(endpoint, "endpoint.", "every_s", int, "seconds from line to line", lambda s: s >= 1)
    retry = need(config, "", "retry", dict, 'an object: {"first_s": 1, "most_s": 300}')
    first = need(retry, "retry.", "first_s", int, "seconds, 1 or more", lambda s: s >= 1)
    need(retry, "retry.", "most_s", int, "seconds, first_s or more", lambda s: s >= first)


def provision(modem, name, source, kind):
    """Brings one certificate or key into the module, unless it is there already."""

    def progress(done, total):
        if done % STEP == 0 or done == total:
            print("%s %d/%d" % (name, done, total))

    if modem.certs.write(name, source, kind, progress=progress):
        print("%s written, MD5 %s confirmed by the module" % (name, modem.certs.digest(name)))
    else:
        print("%s unchanged" % name)


def configure(modem, ssl_id, auth, **names):
    modem.tls(ssl_id).configure(AUTH[auth], **names)
    print("TLS context %d: authentication %s" % (ssl_id, auth))


def exchange(modem, stream, number):
    """One line of telemetry, one line in reply."""
    device = hexlify(machine.unique_id()).decode()
    signal = b" ".join(modem.command("+CSQ")).decode()
    line = json.dumps({"device": device, "line": number, "signal": signal})
    stream.write(line + "\n")
    print("sent " + line)
    reply = stream.readline()
    if not reply.endswith(b"\n"):
        raise ModemError("the endpoint closed the connection")
    print("reply " + reply.decode().strip())


def session(modem, config):
    """From a module in any state to a connection; yields after each line, till it fails."""
    modem.start()
    print("module %s found" % modem.model)
    print("attached, address %s" % " and ".join(modem.attach(config["module"].get("apn"))))
    for item in config["objects"]:
        provision(modem, item["name"], item["source"], KIND[item["kind"]])
    for item in config["contexts"]:
        configure(modem, **item)
    host, port = config["endpoint"]["host"], config["endpoint"]["port"]
    with modem.connect(host, port, modem.tls(config["endpoint"]["ssl_id"])) as stream:
        print("connected to %s:%d" % (host, port))
        number = 0
        while True:
            number += 1
            exchange(modem, stream, number)
            yield


def main():
    try:
        with open("config.json") as file:
            config = json.load(file)
        check(config)
        uart = open_uart(config["uart"])
    except (OSError, ValueError) as error:
        print("config.json: %s" % error)
        return  # no use in trying again: to the prompt
    modem = Modem(uart, baud=config["uart"]["baud"], model=config["module"].get("model"))
    random.seed(int.from_bytes(machine.unique_id(), "big"))  # no two devices alike
    retry = config["retry"]
    failures = 0
    while True:
        try:
            for _ in session(modem, config):
                failures = 0
                time.sleep(config["endpoint"]["every_s"])
        except (OSError, ValueError) as error:
            print("failed: %s" % error)
        # Twice as long each time; not all devices at once when their server comes back.
        pause = min(retry["most_s"], retry["first_s"] << failures) * random.uniform(0.5, 1)
        failures = min(failures + 1, 16)
        print("again in %.1f s" % pause)
        time.sleep(pause)


if __name__ == "__main__":
    main()
