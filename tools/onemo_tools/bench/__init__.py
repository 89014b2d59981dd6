# SPDX-License-Identifier: MIT
"""`make bench`: what the library costs on real MicroPython, beside its limits, a plain
script and a published driver.

device/     what runs on MicroPython: a scripted UART, the plain script, the measurements
device.py   compiles and runs that
published.py  the driver as its author published it
heaps.py    the smallest heap, by bisection
wire.py     bytes and time on a simulated line
streams.py  the same of connections; tls_bytes.py what TLS costs on it
silicon.py  cycles, bytes lost and gaps on an emulated RP2040 with real firmware
wasm.py     the same counts on a 32-bit heap, through node
limits.py   limits, and what is promised; the tests guard the same table
report.py   all figures as one document; table.py, picture.py, readme.py show it
"""
