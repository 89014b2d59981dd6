# SPDX-License-Identifier: MIT
"""The module's store from a PC: through a board, or straight over a serial port."""
