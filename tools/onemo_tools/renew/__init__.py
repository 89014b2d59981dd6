# SPDX-License-Identifier: MIT
"""Renewal of certificates over the air, the maker's side: docs/renewal.md.

From the ground up: `packets` (MQTT 3.1.1, as far as a server of this kind needs it), `service`
(what is done with the record), `listener` (TLS and MQTT around it), `herd` (how many devices come
at once, simulated), `cli`.
"""
