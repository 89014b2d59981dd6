# SPDX-License-Identifier: MIT
#
# MD5, which is what MSSLCHECK answers on every model (manual 3.8).


def md5():
    """A new MD5: update(buffer), digest(). The port's own, else one in viper; Unsupported if the
    port can compile neither."""
    import hashlib

    try:
        return hashlib.md5()
    except AttributeError:
        pass
    try:
        from ._md5_viper import MD5
    except (ImportError, SyntaxError, ValueError):
        from .errors import Unsupported

        raise Unsupported(
            "this port's hashlib has no MD5 and _md5_viper.py, as source, is not there or does "
            "not compile, so an upload could not be verified"
        )
    return MD5()
