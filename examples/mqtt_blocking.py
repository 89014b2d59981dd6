# SPDX-License-Identifier: MIT
#
# MQTT over mutual TLS with umqtt.simple, unchanged: its `import socket` gets the module.
#
#     mpremote mip install umqtt.simple

from machine import UART
from onemo import AUTH_MUTUAL, Modem

HOST, PORT = "broker.example", 8883

modem = Modem(UART(1, 115200, tx=17, rx=18, rxbuf=1024, timeout=0))
modem.start()
modem.attach()
modem.clock()

tls = modem.tls(1)
tls.configure(AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key")
with modem.use_as_socket(tls):
    from umqtt.simple import MQTTClient

    client = MQTTClient("device-0001", HOST, PORT, keepalive=60)
    client.set_callback(lambda topic, message: print("received", topic, message))
    client.connect()
    client.subscribe("devices/device-0001/commands", qos=1)
    client.publish("devices/device-0001/commands", '{"valve": "open"}', qos=1)  # to itself
    client.wait_msg()
    client.disconnect()
