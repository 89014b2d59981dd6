# SPDX-License-Identifier: MIT
"""The `onemo` command."""
