# The product: the module gets the certificates, keys and TLS contexts of config.json; telemetry
# goes out by MQTT over verified TLS, commands come in; whatever fails is told and tried again.

import asyncio
import json
import random
from binascii import hexlify

import machine
from onemo.aio import Modem
from onemo.errors import ClockError
from onemo.profile import checked
from onemo.uart import open_uart

from mqtt import Client

PATIENCE_S = 600  # without progress, besides the pauses asked for, until the watchdog bites


def need(table, name, kind, wanted, valid=None):
    """An entry by its whole name; ValueError that says what it must be."""
    value = table.get(name.split(".")[-1])
    if not isinstance(value, kind) or value is True or (valid and not valid(value)):
        said = "missing" if value is None else json.dumps(value)
        raise ValueError("%s is %s; it must be %s" % (name, said, wanted))
    return value


def check(config):
    """ValueError that names the first entry that is missing or wrong (uart: see open_uart)."""
    ids = [context["ssl_id"] for context in checked(config)["contexts"]]
    module = need(config, "module", dict, 'an object: {"model": null, "apn": null}')
    for name in module:
        if module[name] is not None:
            need(module, "module." + name, str, "a string, or null for what the module knows")
    broker = need(config, "endpoint", dict, "an object: host, port, ssl_id, topic, every_s")
    need(broker, "endpoint.host", str, "a host's name or address", lambda host: host)
    need(broker, "endpoint.port", int, "1 to 65535", lambda port: 1 <= port <= 65535)
    need(broker, "endpoint.ssl_id", int, "a context's ssl_id", lambda number: number in ids)
    need(broker, "endpoint.topic", str, "how topics begin", lambda t: t and not set(t) & set("#+"))
    need(broker, "endpoint.every_s", int, "seconds from line to line", lambda s: s >= 1)
    retry = need(config, "retry", dict, 'an object: {"first_s": 1, "most_s": 300}')
    first = need(retry, "retry.first_s", int, "seconds, 1 or more", lambda s: s >= 1)
    need(retry, "retry.most_s", int, "seconds, first_s or more", lambda s: s >= first)
    if config.get("watchdog_s") is not None:
        need(config, "watchdog_s", int, "seconds, 1 or more; null for none", lambda s: s >= 1)


class Product:
    def __init__(self, config, uart):
        self.config = config
        self.modem = Modem(uart, baud=config["uart"]["baud"], model=config["module"].get("model"))
        self.device = hexlify(machine.unique_id()).decode()
        self.line, self.failures = 1, 0  # the next line of telemetry; failures in a row
        self.alive()

    def alive(self):
        pauses = self.config["endpoint"]["every_s"], self.config["retry"]["most_s"]
        self.patience_s = PATIENCE_S + max(pauses)

    async def feed(self, watchdog):
        nap = self.config["watchdog_s"] / 4
        while self.patience_s > 0:
            watchdog.feed()
            await asyncio.sleep(nap)
            self.patience_s -= nap
        print("no progress: the watchdog is fed no more")

    def progress(self, name, done, total):
        self.alive()
        if done % 512 == 0 or done == total:
            print("%s %d/%d" % (name, done, total))

    async def provision(self):
        """Certificates and keys into the module, where they are not there already."""
        done = await self.modem.sync(self.config, progress=self.progress)
        for what, name in done:
            if what == "write":
                digest = await self.modem.certs.digest(name)
                print("%s written, MD5 %s confirmed by the module" % (name, digest))
            else:
                print("%s: %s" % (what, name))
        if not [name for what, name in done if what != "configure"]:
            print("certificates and keys unchanged")

    async def session(self):
        """From a module in any state to telemetry, until it fails."""
        modem, broker = self.modem, self.config["endpoint"]
        await modem.start()
        print("module %s found" % modem.model)
        addresses = await modem.attach(self.config["module"].get("apn"))
        print("attached, address %s" % " and ".join(addresses))
        await self.provision()
        try:
            print("the time is %d-%02d-%02d %02d:%02d:%02d" % (await modem.clock())[:6])
        except ClockError as error:  # connect refuses where dates are to be checked
            print(error)
        stream = await modem.connect(broker["host"], broker["port"], modem.tls(broker["ssl_id"]))
        client = Client(stream, lambda topic, message: print("command %s" % message))
        try:
            await client.connect(self.device)
            print("connected to %s:%d" % (broker["host"], broker["port"]))
            topic = "%s/%s/" % (broker["topic"], self.device)
            await client.subscribe(topic + "commands")
            while True:
                self.alive()
                signal = b" ".join(await modem.command("+CSQ")).decode()
                said = json.dumps({"device": self.device, "line": self.line, "signal": signal})
                await client.publish(topic + "telemetry", said.encode())
                print("published " + said)
                # Only now: a line that was not acknowledged goes once more.
                self.line, self.failures = self.line + 1, 0
                await client.stay(broker["every_s"])
        finally:
            await client.close()

    async def run(self, watchdog):
        if watchdog:
            self.feeding = asyncio.create_task(self.feed(watchdog))
        retry = self.config["retry"]
        while True:
            self.alive()
            try:
                await self.session()
            except (OSError, ValueError, MemoryError) as error:
                print("failed: %s" % error)
            # Twice as long each time; not all devices at once when their broker comes back.
            jitter = random.uniform(0.5, 1)
            pause = min(retry["most_s"], retry["first_s"] << self.failures) * jitter
            self.failures = min(self.failures + 1, 16)
            print("again in %.1f s" % pause)
            await asyncio.sleep(pause)


def main():
    try:
        with open("config.json") as file:
            config = json.load(file)
        check(config)
        product = Product(config, open_uart(config.get("uart")))
        watchdog = config.get("watchdog_s") and machine.WDT(timeout=config["watchdog_s"] * 1000)
    except (OSError, ValueError) as error:
        print("config.json: %s" % error)
        return  # no use in trying again: to the prompt
    random.seed(int.from_bytes(machine.unique_id(), "big"))  # no two devices alike
    asyncio.run(product.run(watchdog))


if __name__ == "__main__":
    main()
