# SPDX-License-Identifier: MIT
"""`onemo doctor`: what works between a PC, a board, its module and a server, and what to do."""
