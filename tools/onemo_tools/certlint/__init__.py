# SPDX-License-Identifier: MIT
"""What is wrong with certificates, keys and a config.json, before they go to a device."""
