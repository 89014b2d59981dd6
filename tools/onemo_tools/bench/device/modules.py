# SPDX-License-Identifier: MIT
#
# Imports by name, for measurements whose only purpose they are.

# What the measurements themselves and the library need of the firmware.
BUILT_IN = ("binascii", "hashlib", "io", "select", "time")
# What a certificate's way into the module loads when it is first gone.
PROVISIONING = (
    "onemo.at_resync",
    "onemo.certs",
    "onemo.md5",
    "onemo.cert_pem",
    "onemo.cert_upload",
    "onemo.model",
)
EVERYTHING = (
    "onemo.network",
    "onemo.provisioning",
    "onemo.net_links",
    "onemo.net_flow",
    "onemo.suites",
    "onemo.tls",
)


def load(names):
    for name in names:
        __import__(name)


def front(module="onemo"):
    """`from MODULE import Modem`."""
    return __import__(module, None, None, ("Modem",)).Modem
