# SPDX-License-Identifier: MIT
#
# What differs between CPython and MicroPython, and nothing else. The driver asks for the time
# through this module's names, so that a test can put its own clock here.

try:
    import sys
    from gc import collect
    from time import sleep_ms, ticks_add, ticks_diff, ticks_ms  # noqa: F401

    from micropython import const  # noqa: F401

    # Older ones allocate where a buffer is cut short or overwritten in part, at each line.
    if sys.implementation.version < (1, 26):
        raise RuntimeError(
            "onemo needs MicroPython 1.26 or newer; this is %d.%d" % sys.implementation.version[:2]
        )

    CLOSES_GENERATORS = False  # one that is left half-way

    def as_buffer(text):
        """`text` as something a bytearray can be extended by; here a str is one already."""
        return text

    MARKS = ("+", "\r", "\n")  # as as_buffer has them; here they are found in bytes as well

    IS_BOARD = True

    def methods_of(homes, base=object):
        """The base of a class whose seldom called methods are elsewhere, see bound(). `homes`: as
        there; or how the names of a front's modules begin."""
        return base

    def bound(owner, homes, name):
        """The method `name` of `owner`, which is loaded when it is called: the class Methods of a
        module has it, as `homes` says, " name=module name=module ". The value of a property, whose
        module stands behind a dot. AttributeError."""
        at = homes.find(" %s=" % name) + len(name) + 2
        if at < len(name) + 2:
            raise AttributeError(name)
        home = homes[at : homes.find(" ", at)]

        def call(*arguments, **named):
            collect()  # so that what is loaded lies together
            module = __import__("onemo." + home.strip("."), None, None, (name,))
            return module.Methods.__dict__[name](owner, *arguments, **named)

        return call() if home[0] == "." else call

    def load(*names):
        """Loads our modules one by one, collecting after each, before the module that imports
        them: the heap never holds two half-loaded modules, and no garbage stays between them."""
        for name in names:
            __import__("onemo." + name)
            collect()

    def unload(*names):
        """Lets go of modules of ours that are not needed again soon. Their code is garbage once
        nothing holds a function or an object of theirs; what is under way goes on."""
        import onemo

        for name in names:
            if sys.modules.pop("onemo." + name, None):
                delattr(onemo, name)

except ImportError:
    from ._host import *  # noqa: F403
