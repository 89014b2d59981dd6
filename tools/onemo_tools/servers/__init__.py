# SPDX-License-Identifier: MIT
"""What a module talks to: a TLS endpoint, an MQTT broker, a PKI."""
