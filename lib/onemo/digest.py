# MD5, which is what MSSLCHECK answers on every model (manual 3.8).


def md5():
    """A new MD5: update(buffer), digest()."""
    import hashlib

    try:
        return hashlib.md5()
    except AttributeError:
        from .errors import Unsupported

        raise Unsupported(
            "this port's hashlib has no MD5, so an upload could not be verified; use a build with "
            "MICROPY_PY_HASHLIB_MD5 (esp32, rp2 from 1.27, stm32 with SSL)"
        )
