# SPDX-License-Identifier: MIT
"""Rules of the house that no other linter knows; tables made from the source."""
