# SPDX-License-Identifier: MIT
#
# The module's check code of one object (manual 3.8), which uploads and connections ask for.

from .at_channel import DONE, LINE, STORE_MS


def find_digest_op(ch, name, algorithm=0):
    """The check code of one object, lower-case hex; by MD5 if `algorithm` names no other."""
    ch.command(b"+MSSLCHECK=").quote(name)
    if algorithm:
        ch.number(algorithm)
    ch.send(STORE_MS, b"+MSSLCHECK:")
    code = None
    while (event := ch.poll()) != DONE:
        if event == LINE:
            code = ch.text(0).lower()
        else:
            yield
    return ch.set_result(code)
