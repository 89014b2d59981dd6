# SPDX-License-Identifier: MIT
"""What goes to a board: packages, compiled modules, file system images."""
