# SPDX-License-Identifier: MIT
#
# Why an upload was refused, in words: what is wrong with its source, its name or what the module
# made of it. Loaded only then, as cert_pem_faults.

from ._port import const
from .errors import Timeout, VerifyError

_PATH_SHOWN = const(60)  # characters

# Fault -> what is raised, and its text, which is given the object's name and what else is known.
_TEXTS = {
    "text": (
        ValueError,
        "the source of {} is text, not the path of a file: give a path, or a stream such as "
        "io.BytesIO",
    ),
    "type": (
        TypeError,
        "the source of {} is of type {}: give a path, or a stream with readinto, such as "
        'open(path, "rb") or io.BytesIO',
    ),
    "unsized": (ValueError, "{} needs size=, in bytes: its source cannot be rewound"),
    "silent": (Timeout, "the source of {} gives nothing: open it again"),
    "size": (ValueError, "size is {2}, but the source of {0} has {1} bytes"),
    "short": (ValueError, "the source of {} ended before its {} bytes"),
    "mixed": (
        ValueError,
        "{} needs a source that can be rewound, or one without text around its blocks and spaces "
        "at its line ends",
    ),
    "kind": (ValueError, "{} is the name of a {} already: give each its own name"),
    "digest": (
        VerifyError,
        "{}: the module's digest is {}, not ours; the object was removed, write it again",
    ),
}


def refuse(fault, *known):
    """Raise what `fault`, a key of _TEXTS, means. `known`: the object's name, and what else the
    text has room for."""
    error, text = _TEXTS[fault]
    raise error(text.format(*known))


def refuse_path(error, path, name):
    """Raise an OSError as `error` for a file that cannot be opened, and say which."""
    if len(path) > _PATH_SHOWN and "." not in path:
        path = path[:20] + "..."  # it may be a key without its BEGIN line
    raise OSError(
        error.args[0],
        "%s, which is to be %s, cannot be opened: is it there, and is the path right?"
        % (path, name),
    )
