# SPDX-License-Identifier: MIT
#
# Reads config.json, and checks what its entries must be to one another; each by itself is the
# schema's. Loaded while a configuration is read, and let go of then.

import json

from . import schema
from ._port import const, unload

_PARTS = ("objects", "contexts")  # what makes a profile
_NAMES = ("ca", "cert", "key", "pskid")
_SUITE = 'the name of a cipher suite such as "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", or its id '
_PIECE = const(64)  # bytes of a file, while lines are counted


def load(path="config.json"):
    """The JSON in a file. ValueError says at which line it is none; OSError."""
    with open(path, "rb") as file:
        head = file.read(4)
        if head.startswith(b"\xef\xbb\xbf"):
            raise ValueError("it begins with a byte order mark: save it as UTF-8 without BOM")
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head.find(b"\0") >= 0:
            raise ValueError("it is UTF-16 or UTF-32 text: save it as UTF-8")
        file.seek(0)
        try:
            return json.load(file)
        except (ValueError, RuntimeError) as error:
            # MicroPython reads no further than to the fault, CPython tells where it was.
            at = file.tell() - len(file.read(1))
            at = getattr(error, "pos", getattr(error, "start", at))
            file.seek(0)
            line = 1
            while at > 0 and (piece := file.read(min(at, _PIECE))):
                line += piece.count(b"\n")
                at -= len(piece)
            raise ValueError("it is no JSON that can be read: look at line %d" % line)


def faults(config, part=None, stored=False, port=None):
    """Iterate over all faults of a configuration, as sentences that begin with the entry.

    part: names of the entries at the top that must be there and are looked at; None: all that
    main.py needs. stored: it comes from a journal, so that sources may be unknown, and there may
    be entries of another version. port: sys.platform of the board, else of this machine."""
    wrong = []
    for said in schema.faults(config, "", part, not stored, port):
        wrong.append(said.split(" ")[0].split(".")[0].split("[")[0])
        yield said
    if not isinstance(config, dict) or [name for name in _PARTS if name in wrong]:
        return
    kinds = {}
    for i in range(len(config["objects"])):
        item = config["objects"][i]
        where = "objects[%d]." % i
        if item["name"] in kinds:
            yield "%sname is %s once more; each object has its own" % (where, item["name"])
        kinds[item["name"]] = item["kind"]
        if item.get("source") is None and not (stored or item.get("md5")):
            yield where + "source is missing; it must be the path of a file"
    ids = []
    for i in range(len(config["contexts"])):
        context = config["contexts"][i]
        where = "contexts[%d]." % i
        if context["ssl_id"] in ids:
            yield schema.refusal(
                where + "ssl_id", context["ssl_id"], "0 to 5, each once: another context has it"
            )
        ids.append(context["ssl_id"])
        yield from _name_faults(context, where, kinds)
        yield from _suite_faults(context, where)

    def looked_at(name):
        return (part is None or name in part) and name not in wrong and name in config

    if looked_at("module") and config["module"].get("model"):
        yield from _model_faults(config)
    if looked_at("endpoint") and config["endpoint"]["ssl_id"] not in ids:
        wanted = "the ssl_id of one of the contexts"
        yield schema.refusal("endpoint.ssl_id", config["endpoint"]["ssl_id"], wanted)
    if looked_at("renewal") and config["renewal"] and looked_at("endpoint"):
        for i in range(len(ids)):
            if (
                ids[i] == config["endpoint"]["ssl_id"]
                and config["contexts"][i]["auth"] != "mutual"
            ):
                wanted = '"mutual", for renewal: it is by its certificate that a device is known'
                yield schema.refusal(
                    "contexts[%d].auth" % i, config["contexts"][i]["auth"], wanted
                )
    if looked_at("retry") and config["retry"]["most_s"] < config["retry"]["first_s"]:
        yield schema.refusal("retry.most_s", config["retry"]["most_s"], "first_s or more")


def _name_faults(context, where, kinds):
    # Iterate over the faults of the names of objects in a context.
    auth = ("none", "server", "mutual").index(context["auth"])
    if auth == 1 and (context.get("pskid") is not None or context.get("ignoreverify")):
        auth = 0  # what takes the place of a CA
    for k in range(len(_NAMES)):
        kind = ("cert", "cert", "key", "psk")[k]
        name = context.get(_NAMES[k])
        of_kind = [other for other in kinds if kinds[other] == kind]
        wanted = "the name of a %s in objects" % kind
        if name is None:
            if k < 3 and auth > (k > 0):
                yield "%s%s is missing; it must be %s" % (where, _NAMES[k], wanted)
        elif name not in of_kind:
            near = schema.nearest(name, of_kind)
            if name in kinds:
                wanted += ", which is a " + kinds[name]
            elif near:
                wanted += ': did you mean "%s"?' % near
            yield schema.refusal(where + _NAMES[k], name, wanted)


def _suite_faults(context, where):
    # Iterate over the faults of a context's cipher suite.
    value = context.get("ciphersuite")
    if not value:
        return
    where += "ciphersuite"
    try:
        from . import suites

        suite = suite_id(value)
        if suite and suites.strength(suite) == "broken" and not context.get("allow_broken"):
            wanted = 'a sound one, for %s is broken; or set "allow_broken": true'
            yield schema.refusal(where, value, wanted % suites.name(suite))
    except ValueError:
        yield schema.refusal(where, value, _SUITE + '(49199 or "0xC02F"), of manual 5.1')
    except ImportError:
        wanted = "left out, for onemo/suites is not installed: install all of onemo"
        yield schema.refusal(where, value, wanted)


def _model_faults(config):
    # Iterate over what the model that the configuration names cannot do.
    from .models import identify

    model = identify(config["module"]["model"])[1]
    unload("models")
    for i in range(len(config["contexts"])):
        context = config["contexts"][i]
        where = "contexts[%d]." % i
        if context["ssl_id"] >= model.ssl_ids:
            wanted = "an integer from 0 to %d on %s" % (model.ssl_ids - 1, model)
            yield schema.refusal(where + "ssl_id", context["ssl_id"], wanted)
        if context.get("version", 3) not in model.versions:
            yield schema.refusal(where + "version", context["version"], "3 or 255 on %s" % model)
    for i in range(len(config["objects"])):
        if config["objects"][i]["kind"] == "psk" and not model.psk:
            where = "objects[%d].kind" % i
            yield schema.refusal(where, "psk", '"cert" or "key": %s has no PSKs' % model)


def suite_id(value):
    """The id of a cipher suite that is given by it, by "0xC02F", or by its name. ValueError."""
    if not isinstance(value, str):
        return value
    digits = value[2:].lower()
    if value[:2] in ("0x", "0X") and digits and not digits.strip("0123456789abcdef"):
        return int(digits, 16)
    from . import suites

    return suites.id(value)
