# SPDX-License-Identifier: MIT
#
# What differs between CPython and MicroPython, and nothing else. The driver asks for the time
# through this module's names, so that a test can put its own clock here.

try:
    import sys
    from gc import collect
    from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

    from micropython import const

    # Older ones allocate where a buffer is cut short or overwritten in part, at each line.
    if sys.implementation.version < (1, 26):
        raise RuntimeError(
            "onemo needs MicroPython 1.26 or newer; this is %d.%d" % sys.implementation.version[:2]
        )

    CLOSES_GENERATORS = False  # one that is left half-way

    def as_buffer(text):
        """`text` as something a bytearray can be extended by; here a str is one already."""
        return text

    IS_BOARD = True

    def bound(owner, homes, name):
        """The method `name` of `owner`, from the class Methods of the module that stands behind it
        in `homes`; of one behind a dot, a property, the value. AttributeError."""
        names = homes.split(" ")
        for i in range(0, len(names), 2):
            if names[i] == name:
                home = names[i + 1]
                break
        else:
            raise AttributeError("no " + name)
        module = __import__("onemo." + home.strip("."), None, None, (name,))
        method = module.Methods.__dict__[name]
        if home[0] == ".":
            return method(owner)
        return lambda *arguments, **named: method(owner, *arguments, **named)

    def unload(*names):
        """Lets go of modules of ours that are not needed again soon. Their code is garbage once
        nothing holds a function or an object of theirs; what is under way goes on."""
        import onemo

        for name in names:
            if sys.modules.pop("onemo." + name, None):
                delattr(onemo, name)

except ImportError:
    import time

    CLOSES_GENERATORS = True
    IS_BOARD = False

    def collect():
        pass  # the heap is not small, and looking at all of it takes long

    _WRAP = 1 << 30

    def const(value):
        return value

    def ticks_ms():
        """Milliseconds that wrap at 2**30, as MicroPython's do."""
        return int(time.monotonic() * 1000) % _WRAP

    def ticks_add(ticks, ms):
        return (ticks + ms) % _WRAP

    def ticks_diff(end, start):
        return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2

    def sleep_ms(ms):
        time.sleep(ms / 1000)

    def as_buffer(text):
        return text.encode() if isinstance(text, str) else text

    def unload(*names):
        pass
