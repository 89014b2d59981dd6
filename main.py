# SPDX-License-Identifier: MIT
#
# The product: writes the certificates, keys and TLS contexts of config.json into the module, sends
# telemetry by MQTT over verified TLS and takes commands; a failure is printed, then retried.

import asyncio
import json
import random
from binascii import hexlify

import machine
from onemo.aio import Modem
from onemo.errors import ClockError
from onemo.profile import read
from onemo.supervisor import Supervisor, Watchdog
from onemo.uart import flow, open_uart, reopen

from mqtt import Client

NAT_S = 240  # cellular networks' tables forget a silent connection after some minutes


class Product:
    def __init__(self, config, uart):
        self.config = config
        line = config["uart"]
        self.modem = Modem(
            uart,
            baud=line["baud"],
            model=config["module"].get("model"),
            reopen=reopen(line),
            **flow(line),
        )
        self.modem.on_event(lambda kind, text: print("%s: %s" % (kind, text)))
        if config.get("power"):
            from onemo.power import Power

            self.modem.power = Power(config["power"])
        self.supervisor = Supervisor(
            self.modem, config.get("recovery"), config["retry"], self.modem.reopen
        )
        self.device = hexlify(machine.unique_id()).decode()
        self.renewal = None
        if config.get("renewal"):
            from onemo.renew import Renewal

            self.renewal = Renewal(self.modem, config, self.device, Client)
        self.line = 1  # the next line of telemetry
        self.report = None  # that line, while it is not acknowledged

    def progress(self, name, done, total):
        self.supervisor.alive()
        if done % 512 == 0 or done == total:
            print("%s %d/%d" % (name, done, total))

    async def provision(self):
        """Writes certificates and keys into the module, unless they are there already."""
        done = await self.modem.sync(self.config, progress=self.progress)
        for what, name in done:
            if what == "write":
                digest = await self.modem.certs.digest(name)
                print("%s written, MD5 %s confirmed by the module" % (name, digest))
            else:
                print("%s: %s" % (what, name))
        if not [name for what, name in done if what != "configure"]:
            print("certificates and keys unchanged")

    async def attach(self):
        """Brings a module in any state online."""
        modem, module = self.modem, self.config["module"]
        await modem.start(baud=self.config["uart"]["baud"])
        print("module %s found" % modem.require_model())
        if module.get("sleep") is not None:
            await modem.sleep_mode(module["sleep"])
        addresses = await modem.attach(
            module.get("apn"),
            pdp_type=module.get("pdp_type"),
            user=module.get("user"),
            password=module.get("password"),
            auth=module.get("auth") or "chap",
            pin=module.get("sim_pin"),
            dns_priority=module.get("dns_priority"),
        )
        print("attached, address %s" % " and ".join(addresses))

    async def send_line(self, client, topic):
        """Publishes the next line of telemetry, or the last one once more if nobody knows whether
        the broker has it: as a duplicate then, so that it can tell."""
        again = self.report is not None
        if not again:
            signal = b" ".join(await self.modem.command("+CSQ")).decode()
            report = {"device": self.device, "line": self.line, "signal": signal}
            if self.supervisor.counts:
                report["recovery"] = self.supervisor.counts
            self.report = json.dumps(report)
        packet_id = 32768 + self.line % 32768
        await client.publish(topic, self.report.encode(), dup=again, packet_id=packet_id)
        self.supervisor.progress()
        print("published " + self.report)
        self.line, self.report = self.line + 1, None

    async def session(self):
        """Sends telemetry and takes commands until something fails, or the certificate is due."""
        modem, broker = self.modem, self.config["endpoint"]
        await self.attach()
        await self.provision()
        renewal = None
        try:
            now = await modem.clock()
            print("the time is %d-%02d-%02d %02d:%02d:%02d" % now[:6])
            renewal = self.renewal
        except ClockError as error:  # connect refuses where dates are to be checked
            print(error)
        if renewal:
            await renewal.check(now)
        stream = await modem.connect(broker["host"], broker["port"], modem.tls(broker["ssl_id"]))
        keepalive_s = broker.get("keepalive_s") or 60
        client = Client(
            stream,
            lambda topic, message: print("command %s" % message),
            keepalive_s=keepalive_s,
        )
        try:
            await client.connect(
                self.device, user=broker.get("user"), password=broker.get("password")
            )
            print("connected to %s:%d" % (broker["host"], broker["port"]))
            print("keep-alive by MQTT, a ping every %d s" % (keepalive_s // 2))
            if keepalive_s > NAT_S:
                print("NAT may forget the connection sooner: keepalive_s %d or less" % NAT_S)
            topic = "%s/%s/" % (broker["topic"], self.device)
            await client.subscribe(topic + "commands")
            while True:
                await self.send_line(client, topic + "telemetry")
                for pause_s in self.supervisor.slices(broker["every_s"]):
                    await client.wait(pause_s)
                if renewal and renewal.is_due():
                    return
        finally:
            await client.close()

    async def run(self, watchdog):
        if watchdog:
            self.watchdog_task = asyncio.create_task(self.feed(watchdog))
        while True:
            error = None
            try:
                await self.session()
                continue
            except (OSError, ValueError, MemoryError) as failure:
                error = failure
                print("failed: %s" % error)
            await self.supervisor.failed(error)
            pause = self.supervisor.pause_s()
            print("retrying in %.1f s" % pause)
            for pause_s in self.supervisor.slices(pause):
                await asyncio.sleep(pause_s)

    async def feed(self, watchdog):
        await self.supervisor.feed(watchdog)
        print("no progress, letting the watchdog expire")


def main():
    try:
        config = read("config.json")
        product = Product(config, open_uart(config["uart"]))
        watchdog = config.get("watchdog_s") and Watchdog(config["watchdog_s"])
    except (OSError, ValueError) as error:
        print("config.json: %s" % error)
        return  # retrying is of no use: to the prompt
    random.seed(int.from_bytes(machine.unique_id(), "big"))  # no two devices alike
    asyncio.run(product.run(watchdog))


if __name__ == "__main__":
    main()
