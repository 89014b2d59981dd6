# SPDX-License-Identifier: MIT
"""Tries to break the driver: faults, power cuts, random input, damage to its own code."""
