# SPDX-License-Identifier: MIT
"""What a real module does, found by asking it: not through the driver, whose beliefs it tests."""
