# SPDX-License-Identifier: MIT
#
# Asks a module what it is: AT+CGMM, which names the series, then AT+CGMR, which has sub-model and
# firmware, then ATI. Nothing is believed once: an answer counts when it has come twice, however
# the line is, and boot chatter is no answer. Loaded by start(), and let go of.

from . import _port
from ._port import const
from .at_channel import ALL, DONE, LINE, REPLY_MS
from .at_retry import RETRY_MS, is_over, is_transient, listen_op
from .at_syntax import ascii_str
from .errors import CommandError, ModemReset, ProtocolError, Timeout
from .models import identify, kind, row_of, words_of

_ANSWERS_MAX = const(6)  # that differ
_FAILURES_MAX = const(3)
_TEXT_MAX = const(48)
_NAME_MIN = const(4)  # characters
_CHATTER = const(b"+*^")  # how URCs begin


def identify_op(modem, end):
    """Operation: select the model by what the module says, until the ticks `end`. Unsupported for
    a module that speaks another dialect; ProtocolError for one that says something else each time;
    Timeout, ModemReset."""
    heard = modem.heard = []
    busy = [True]
    model = None
    while model is None and busy and not is_over(end):
        busy.clear()  # what was refused for a moment: all of it is asked once more then
        name = yield from _ask_op(modem, b"+CGMM", end, busy)
        model = identify(name)[1] if name else None
        # It names sub-model and firmware; of a model that is plain, that is only nice to have.
        firmware = said = yield from _ask_op(
            modem, b"+CGMR", end, busy, True, not (model and model.certain)
        )
        for command in (b"+CGMR", b"I"):
            if model and model.certain:
                break
            if command == b"I":
                said = yield from _ask_op(modem, command, end, busy)
            word = name_in(said) if said else None
            if word:
                other = identify(word)[1]
                if model is None:
                    name = word
                    model = other
                elif other.known and (not model.known or other.name.startswith(model.name)):
                    model = other
    if model is None:
        if busy:
            raise Timeout("the module answers, but is busy, or reboots, before it says what it is")
        model = identify(b"")[1]
    elif not model.known:
        yield from _refuse_others_op(modem, name, end)
    # What stays is made once the garbage of all this is gone, so that it does not end up in the
    # middle of the free heap.
    said = model.name if model.known else name or b""
    _port.collect()
    modem.capabilities = model = identify(said)[1]
    modem.model = model.series
    modem.firmware = firmware and firmware.encode().decode()
    modem.heard = "\n".join(heard)


def _refuse_others_op(modem, name, end):
    # Unsupported for another brand, or the first generation.
    said = ascii_str(name)
    if is_old(name):
        from .errors import Unsupported

        raise Unsupported(
            "the module says that it is %s: the first generation, without a letter behind its "
            "number, has other commands (manual 1.1 lists whose ones this library has)" % said
        )
    if is_ours(name):
        return
    maker = None
    if name[0] == 0x4D:  # MF308C, M5310-E are OneMO's, MC20 is not
        maker = yield from _ask_op(modem, b"+CGMI", end, [], True)
    if not maker or not ("CMCC" in maker or "OneMO" in maker or "China Mobile" in maker):
        from .errors import Unsupported

        raise Unsupported(
            "the module says that it is %s%s: that is none of OneMO's, whose commands this "
            "library has; if it is one all the same, name it by Modem(model=...)"
            % (said, " by " + maker if maker else "")
        )


def _ask_op(modem, command, end, busy, whole=False, needed=True):
    # What the module answers, once it has said so twice: the word that is a name, as bytes, or the
    # `whole` line without its label, as str. None if it refuses, or says nothing such; the command
    # is in `busy` then if that may pass.
    ch = modem.channel
    seen = []
    refusals = failures = 0
    timeout_ms = REPLY_MS
    pause = False
    while len(seen) < _ANSWERS_MAX and refusals < 2 + needed and failures < _FAILURES_MAX:
        left_ms = _port.ticks_diff(end, _port.ticks_ms())
        if left_ms <= 0:
            if needed:
                raise Timeout("the module answers, but not to AT" + command.decode())
            break
        best = text = None
        _port.collect()
        try:
            if not ch.ready():
                yield from modem.resync_op(left_ms)
            if pause:
                yield from listen_op(ch, RETRY_MS)
            ch.command(command).send(min(timeout_ms, left_ms), ALL)
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                    continue
                line = ch.line()
                own = command[0] == 0x2B and ch.is_own_line()
                if line[0] in _CHATTER and not own:
                    continue
                word = name_in(line, best)
                if word != best or text is None:
                    best = word
                    text = line
        except CommandError as error:
            refusals += 1
            pause = True
            if error.code is not None and is_transient(error):
                busy.append(command)
            continue
        except (ModemReset, ProtocolError, Timeout) as error:
            failures += 1
            timeout_ms *= 2
            if isinstance(error, ModemReset):
                busy.append(command)
            continue
        answer = _without_label(text) if whole and text else best
        if not answer:
            refusals += 1
        elif answer in seen:
            modem.heard.append("AT%s: %s" % (command.decode(), _without_label(answer)))
            return answer
        else:
            seen.append(answer)
    if seen:
        modem.heard.append("AT%s: %s, once" % (command.decode(), _without_label(seen[0])))
    if needed and len(seen) > 1:
        said = ", ".join([_without_label(each) for each in seen])
        raise ProtocolError(
            "the module says something else each time that it is asked for its model (%s): is the "
            "line good for %d bit/s?" % (said, ch.baud)
        )
    return None


def _without_label(line):
    # b"Revision: ML302S-DNLM-V1" -> "ML302S-DNLM-V1"
    if isinstance(line, str):
        return line
    at = line.find(b":")
    for c in line[: at + 1]:
        if 0x30 <= c <= 0x39:
            at = -1
    return ascii_str(line[at + 1 :].strip()[:_TEXT_MAX])


def name_in(line, best=None):
    """The word of `line` that looks most like the name of a model, if more so than `best`; else
    that. None: no word does."""
    rank = _rank(best)
    for word in words_of(line):
        if _rank(word) > rank:
            best = word
            rank = _rank(word)
    return best


def _rank(word):
    # How much it looks like a name: 0 for not at all.
    if not word or len(word) < _NAME_MIN or not 0x41 <= word[0] <= 0x5A:
        return 0
    digits = 0
    for c in word:
        if 0x30 <= c <= 0x39:
            digits += 1
        elif not (0x41 <= c <= 0x5A or c in b"-."):
            return 0
    if not digits:
        return 0
    row = row_of((word,))
    return min(99, len(word)) + 100 * is_ours(word) + (10000 + 100 * len(row[0]) if row else 0)


def is_ours(word):
    """True for a name such as OneMO gives: ML, MN or MR and a number in it."""
    return kind(word) != b"?"


def is_old(word):
    """True for ML302 and ML305 without a letter behind the number, the first generation."""
    return word.split(b"-")[0] in (b"ML302", b"ML305")
