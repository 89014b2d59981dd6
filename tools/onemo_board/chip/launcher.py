# SPDX-License-Identifier: MIT
"""One boot of the board: a CPython process that becomes MicroPython.

argv: a marshalled dict in hex (`process.py`). The exit status says why it ended (`hal.py`).
Run as a script, without site-packages: the library's path is in the configuration.
"""

import ctypes
import importlib.machinery
import marshal
import os
import signal
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from chip import hal, rom  # type: ignore[import-not-found]

_PR_SET_PDEATHSIG = 1

# Leaves no name in __main__. sys.exc_info() makes the ROM; device/ lies in a ROMFS image there.
_SCRIPT = """
import sys, vfs
sys.exc_info()
vfs.mount(vfs.VfsRom(__import__("_board").rom), "/rom")
del sys, vfs
__import__("_boot")
__import__("_board").start()
"""


def die_with(parent: int) -> None:
    """Ends this process with the thread that started it, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)  # it was gone before we asked


def schedule_interrupts(lib: ctypes.PyDLL) -> None:
    """SIGUSR1 schedules a KeyboardInterrupt.

    The unix port's own SIGINT handler jumps out of whatever runs, the collector included;
    firmware schedules the exception, and this is the function with which it does.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    libc.signal.restype = ctypes.c_void_p
    handler = ctypes.cast(lib.mp_sched_keyboard_interrupt, ctypes.c_void_p)
    libc.signal(signal.SIGUSR1, handler)
    libc.siginterrupt(signal.SIGUSR1, 1)  # a blocking read() must return
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    config = marshal.loads(bytes.fromhex(sys.argv[1]))
    die_with(config["parent"])
    path = config["library"]
    name = os.path.basename(path).split(".")[0]
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.machinery.ModuleSpec(name, loader, origin=path)
    micropython = loader.create_module(spec)
    micropython.__spec__ = spec
    loader.exec_module(micropython)
    lib = ctypes.PyDLL(path)
    missing = [s for s in (*rom.SYMBOLS, "mp_sys_exc_info_obj") if not hasattr(lib, s)]
    if missing:
        sys.exit(f"this build of MicroPython cannot be a board; it lacks {', '.join(missing)}")
    mode = ctypes.c_int.in_dll(lib, "pyexec_mode_kind")
    mode.value = 1 if config["raw"] else 0
    schedule_interrupts(lib)
    # MicroPython must be running before the ROM can be made: the boot script's first call,
    # sys.exc_info() (which boards have not), does it.
    board = hal.Hal(lib, config)
    rom.replace_function(lib, "mp_sys_exc_info_obj", board.install)
    micropython.run_main(["micropython", "-X", f"heapsize={config['heap']}", "-c", _SCRIPT])
    os._exit(hal.EXIT_SOFT + mode.value)


main()
