# SPDX-License-Identifier: MIT
"""Editing MicroPython's built-in modules in the loaded library, before the board boots.

A built-in module is a constant table of (name, value) in the library's read-only data.
A larger table in our own memory replaces it, so that what is added lies outside the
board's heap, as a firmware's ROM does. Object representation A, 64 bit (py/obj.h):
small int = n << 1 | 1, interned string = qstr << 3 | 2, None = 6, False = 14, True = 30.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

NONE, FALSE, TRUE = 6, 14, 30

# the exit status of a board process whose hardware emulation failed: our own mistake
BROKEN = 70

Obj = ctypes.c_size_t
_PROT_READ, _PROT_WRITE = 1, 2
_ROM_MAP_FLAGS = 7  # all keys are interned, table is fixed and ordered
_MAX_ARGS = 6

# everything that the board needs from the library; missing ones are named to the user
SYMBOLS = (
    "gc_sweep_all",
    "mp_builtin_extensible_module_map",
    "mp_builtin_module_map",
    "mp_frozen_names",
    "mp_get_buffer",
    "mp_sched_keyboard_interrupt",
    "mp_type_attrtuple",
    "mp_type_bytes",
    "mp_type_dict",
    "mp_type_fun_builtin_0",
    "mp_type_fun_builtin_1",
    "mp_type_fun_builtin_2",
    "mp_type_fun_builtin_3",
    "mp_type_fun_builtin_var",
    "mp_type_module",
    "mp_type_str",
    "mp_type_tuple",
    "pyexec_mode_kind",
    "qstr_from_str",
    "qstr_str",
)


class _Map(ctypes.Structure):
    _fields_ = [("flags_used", Obj), ("alloc", Obj), ("table", Obj)]


class _Dict(ctypes.Structure):
    _fields_ = [("type", Obj), ("map", _Map)]


class _Module(ctypes.Structure):
    _fields_ = [("type", Obj), ("globals", Obj)]


class _Entry(ctypes.Structure):
    _fields_ = [("key", Obj), ("value", Obj)]


class _Str(ctypes.Structure):
    _fields_ = [("type", Obj), ("hash", Obj), ("len", Obj), ("data", ctypes.c_char_p)]


class _FixedFunction(ctypes.Structure):
    _fields_ = [("type", Obj), ("fun", Obj)]


class _VarFunction(ctypes.Structure):
    _fields_ = [("type", Obj), ("sig", ctypes.c_uint32), ("fun", Obj)]


class _Buffer(ctypes.Structure):
    _fields_ = [("address", Obj), ("len", Obj), ("typecode", ctypes.c_int)]


def broken() -> NoReturn:
    """Ends the process with a traceback: the emulation itself failed."""
    import traceback  # here, because booting has to be quick

    traceback.print_exc()
    os._exit(BROKEN)


def replace_function(lib: ctypes.PyDLL, symbol: str, fun: Callable[[], None]) -> None:
    """Makes a built-in function without arguments call `fun`; for good, so once per process."""

    def call() -> int:
        try:
            fun()
            return NONE
        except BaseException:
            broken()

    native = ctypes.PYFUNCTYPE(Obj)(call)
    target = _FixedFunction.in_dll(lib, symbol)
    unprotect(ctypes.addressof(target), ctypes.sizeof(target))
    target.fun = ctypes.cast(native, ctypes.c_void_p).value
    _replaced.append(native)


_replaced: list[Any] = []  # what MicroPython calls must not be collected


def unprotect(address: int, size: int) -> None:
    """Makes constant data writable."""
    page = os.sysconf("SC_PAGE_SIZE")
    start = address & -page
    libc = ctypes.CDLL(None, use_errno=True)
    length = ctypes.c_size_t(address + size - start)
    if libc.mprotect(ctypes.c_void_p(start), length, _PROT_READ | _PROT_WRITE):
        raise OSError(ctypes.get_errno(), "mprotect")


def small(value: int) -> int:
    """A small int object."""
    return (value << 1 | 1) & 0xFFFF_FFFF_FFFF_FFFF


def is_small(obj: int) -> bool:
    return bool(obj & 1)


def integer(obj: int) -> int:
    """The value of a small int, True or False object; ValueError for any other."""
    if obj & 1:
        return (obj if obj < 1 << 63 else obj - (1 << 64)) >> 1
    if obj in (FALSE, TRUE):
        return obj >> 4
    raise ValueError("not a small int")


class Rom:
    """The loaded library's built-in modules. Usable once MicroPython's mp_init has run."""

    def __init__(self, lib: ctypes.PyDLL) -> None:
        self._lib = lib
        self._alive: list[Any] = []  # what MicroPython points at must not be collected
        lib.qstr_from_str.restype = ctypes.c_size_t
        lib.qstr_str.restype = ctypes.c_char_p
        lib.mp_get_buffer.argtypes = [Obj, ctypes.POINTER(_Buffer), ctypes.c_size_t]
        lib.mp_get_buffer.restype = ctypes.c_bool
        self._buffer = _Buffer()

    def address(self, symbol: str) -> int:
        return ctypes.addressof(ctypes.c_char.in_dll(self._lib, symbol))

    # -- values ---------------------------------------------------------------------------
    def name(self, text: str) -> int:
        """An interned string object (interned in the board's heap when ROM has it not)."""
        return self._lib.qstr_from_str(text.encode()) << 3 | 2

    def string(self, text: str | bytes) -> int:
        """A str or bytes object outside the heap, living as long as the board."""
        kind = "mp_type_bytes" if isinstance(text, bytes) else "mp_type_str"
        data = text if isinstance(text, bytes) else text.encode()
        return self._keep(_Str(self.address(kind), 0, len(data), data))

    def plain_tuple(self, *items: int) -> int:
        words = [self.address("mp_type_tuple"), len(items), *items]
        return self._keep((Obj * len(words))(*words))

    def named_tuple(self, fields: Mapping[str, int]) -> int:
        """A tuple whose items are attributes too (py/objattrtuple.c)."""
        names = (ctypes.c_size_t * len(fields))(*(self.name(f) >> 3 for f in fields))
        words = [self.address("mp_type_attrtuple"), len(fields), *fields.values()]
        return self._keep((Obj * (len(words) + 1))(*words, self._keep(names)))

    def function(self, fun: Callable[..., int], low: int, high: int | None = None) -> int:
        """A built-in function of `low` to `high` positional arguments (objects in, one out)."""

        def guarded(*args: int) -> int:
            try:
                return fun(*args)
            except BaseException:  # must not unwind through MicroPython's frames
                broken()

        if high is None and low <= 3:
            native = ctypes.PYFUNCTYPE(Obj, *[Obj] * low)(guarded)
            kind = self.address(f"mp_type_fun_builtin_{low}")
            self._alive.append(native)
            return self._keep(_FixedFunction(kind, ctypes.cast(native, ctypes.c_void_p).value))
        high = low if high is None else high

        def spread(count: int, args: Any) -> int:
            return guarded(*args[:count])

        vector = ctypes.PYFUNCTYPE(Obj, ctypes.c_size_t, ctypes.POINTER(Obj))(spread)
        self._alive.append(vector)
        kind = self.address("mp_type_fun_builtin_var")
        pointer = ctypes.cast(vector, ctypes.c_void_p).value
        return self._keep(_VarFunction(kind, low << 17 | high << 1, pointer))

    def text(self, obj: int) -> str:
        """The value of a str object."""
        return self.view(obj).decode()

    def view(self, obj: int) -> bytes:
        """A copy of the bytes of anything with the buffer protocol; ValueError without it."""
        address, length = self.buffer(obj)
        return ctypes.string_at(address, length)

    def buffer(self, obj: int, writable: bool = False) -> tuple[int, int]:
        """Address and length of an object's buffer; ValueError when it has none."""
        flags = 2 if writable else 1
        if obj & 1 or not self._lib.mp_get_buffer(obj, self._buffer, flags):
            raise ValueError("object with buffer protocol required")
        return self._buffer.address, self._buffer.len

    # -- modules --------------------------------------------------------------------------
    def entries(self, module: str) -> dict[str, int]:
        """What a built-in module holds: name -> object."""
        return self._read(self._globals(module).map)

    def edit(self, module: str, add: Mapping[str, int], remove: tuple[str, ...] = ()) -> None:
        """Adds to, replaces in and removes from a built-in module."""
        entries = self.entries(module)
        for name in remove:
            entries.pop(name, None)
        entries.update(add)
        self._write(self._globals(module).map, entries)

    def add_module(self, name: str, entries: Mapping[str, int]) -> None:
        """A new built-in module."""
        every = {"__name__": self.name(name), **entries}
        table = _Dict(self.address("mp_type_dict"), _Map())
        self._write(table.map, every)
        module = _Module(self.address("mp_type_module"), self._keep(table))
        modules = _Map.from_address(self.address("mp_builtin_module_map"))
        self._write(modules, {**self._read(modules), name: self._keep(module)})

    def remove_module(self, name: str) -> None:
        for symbol in ("mp_builtin_module_map", "mp_builtin_extensible_module_map"):
            modules = _Map.from_address(self.address(symbol))
            entries = self._read(modules)
            if entries.pop(name, None) is not None:
                self._write(modules, entries)

    def remove_frozen(self, name: str) -> None:
        """Takes a module out of those that the unix build has frozen: `name` or a package."""
        at = self.address("mp_frozen_names")
        while entry := ctypes.string_at(at).decode():
            if entry == name + ".py" or entry.startswith(name + "/"):
                unprotect(at, 1)
                ctypes.c_char.from_address(at).value = b"\x7f"  # a name that nobody imports
            at += len(entry) + 1

    def tuple_item(self, obj: int, index: int, value: int) -> None:
        """Replaces an item of a constant tuple."""
        word = Obj.from_address(obj + (2 + index) * ctypes.sizeof(Obj))
        unprotect(ctypes.addressof(word), ctypes.sizeof(word))
        word.value = value

    def _globals(self, module: str) -> _Dict:
        for symbol in ("mp_builtin_module_map", "mp_builtin_extensible_module_map"):
            found = self._read(_Map.from_address(self.address(symbol))).get(module)
            if found is not None:
                return _Dict.from_address(_Module.from_address(found).globals)
        raise KeyError(module)

    def _read(self, table: _Map) -> dict[str, int]:
        count = table.flags_used >> 3
        rows = (_Entry * count).from_address(table.table)
        return {self._lib.qstr_str(row.key >> 3).decode(): row.value for row in rows}

    def _write(self, table: _Map, entries: Mapping[str, int]) -> None:
        rows = (_Entry * len(entries))(*(_Entry(self.name(k), v) for k, v in entries.items()))
        unprotect(ctypes.addressof(table), ctypes.sizeof(table))
        table.flags_used = len(entries) << 3 | _ROM_MAP_FLAGS
        table.alloc = len(entries)
        table.table = self._keep(rows)

    def _keep(self, thing: Any) -> int:
        self._alive.append(thing)
        return ctypes.addressof(thing)
