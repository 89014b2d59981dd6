# SPDX-License-Identifier: MIT
#
# Runs first at every boot, before main.py. Keep it so short that nothing in it can fail.
import gc

gc.threshold(8192)  # collect early, so that the heap stays in one piece for as long as it runs
