# SPDX-License-Identifier: MIT
"""PC side of onemo: simulated module, virtual board, deployment, bench."""
