# SPDX-License-Identifier: MIT
#
# MD5, which is what MSSLCHECK answers on every model (manual 3.8). md5() is a new one, with
# update(buffer) and digest(): the port's own, else one in viper; Unsupported if the port can
# compile neither. Which one it is, is found out once: a chip looks for `hashlib` in its file
# system first, for as long as hashing 4 KB takes.

try:
    from hashlib import md5
except ImportError:
    try:
        from ._md5_viper import MD5 as md5
    except (ImportError, SyntaxError, ValueError):

        def md5():
            from .errors import Unsupported

            raise Unsupported(
                "this port's hashlib has no MD5 and _md5_viper.py, as source, is not there or "
                "does not compile, so an upload could not be verified"
            )
