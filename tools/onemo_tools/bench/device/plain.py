# SPDX-License-Identifier: MIT
#
# The plain script, as one writes it: the answer collected in a bytes object, the PEM read into a
# string and written. It looks at no PEM and verifies nothing.

import time


def wait(uart, end, timeout_ms=10000):
    start = time.ticks_ms()
    got = b""
    while time.ticks_diff(time.ticks_ms(), start) < timeout_ms:
        if uart.any():
            got += uart.read()
            if end in got:
                return got
            if b"ERROR" in got:
                raise OSError(got)
    raise OSError("timeout")


def command(uart, text):
    uart.write("AT" + text + "\r\n")
    answer = wait(uart, b"OK\r\n")
    return [line for line in answer.split(b"\r\n") if line and line != b"OK"]


def upload(uart, name, path):
    with open(path) as file:
        pem = file.read()
    uart.write(f'AT+MSSLCERTWR="{name}",0,{len(pem)}\r')
    wait(uart, b">")
    uart.write(pem)
    wait(uart, b"OK\r\n")


def read_back(uart, name):
    uart.write(f'AT+MSSLCERTRD="{name}"\r')
    answer = wait(uart, b"\r\nOK\r\n")
    at = answer.find(b",") + 1
    return answer[at : at + int(answer[answer.find(b":") + 1 : at - 1])]
