# SPDX-License-Identifier: MIT
"""`onemo certs lint`: what is found in certificates, keys and a config.json."""

import base64
import datetime
import ipaddress
import json
import os
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from onemo_tools.certlint.checks import Config, File, NoServer, lint
from onemo_tools.certlint.findings import CODES, Finding, status
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT as ROOT_FOLDER
from typer.testing import CliRunner

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM
_KEYS: dict = {}
_USAGES = (
    "content_commitment key_encipherment data_encipherment key_agreement crl_sign encipher_only "
    "decipher_only"
)


def new_key(name, kind="ec"):
    """The key that belongs to a name."""
    if (name, kind) not in _KEYS:
        make = {
            "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
            "p192": lambda: ec.generate_private_key(ec.SECP192R1()),
            "k1": lambda: ec.generate_private_key(ec.SECP256K1()),
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
            "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
            "ed": ed25519.Ed25519PrivateKey.generate,
        }[kind]
        _KEYS[name, kind] = make()
    return _KEYS[name, kind]


def key_pem(name, kind="ec", form=serialization.PrivateFormat.PKCS8):
    return new_key(name, kind).private_bytes(PEM, form, serialization.NoEncryption())


def cert(
    name, by=None, *, ca=None, sign=None, days=(-10, 400), kind="ec", by_key=None, usage=None
):
    """A certificate of `name`, issued by `by` (else by itself); `ca`: its basicConstraints."""
    by = by or name
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in (name, by)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(new_key(name, kind).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if usage is not None:
        flags = dict.fromkeys(_USAGES.split(), False)
        flags["digital_signature"] = True
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=usage, **flags), True)
    signer = new_key(by_key or by, kind if by == name and not by_key else "ec")
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(PEM)


ROOT = cert("root", ca=True, usage=True)
INTER = cert("inter", "root", ca=True, usage=True)
LEAF = cert("leaf", "inter", ca=False)


def codes(*files, config=None, pairs=None):
    """Codes and severities of what is found: {(code, "e" or "w")}."""
    found = lint([File(*file) for file in files], config, pairs, NOW)
    return {(one.code, one.severity[0]) for one in found}


@pytest.mark.parametrize(
    "files",
    [
        [("ca.pem", ROOT)],
        [("bundle.pem", ROOT + cert("other root", ca=True))],
        [("chain.pem", LEAF + INTER), ("client.key", key_pem("leaf")), ("ca.pem", ROOT)],
        [("chain.pem", LEAF + INTER + ROOT)],
        [("client.key", key_pem("leaf", form=serialization.PrivateFormat.TraditionalOpenSSL))],
        [("rsa.pem", cert("r", "root", kind="rsa")), ("rsa.key", key_pem("r", "rsa"))],
        [("dev.pem", LEAF + INTER), ("dev.key", key_pem("leaf")), ("ca.pem", ROOT + INTER)],
    ],
)
def test_good_files_are_clean(files):
    assert codes(*files) == set()


@pytest.mark.parametrize(
    "expected, files",
    [
        ("expired e", [("c.pem", cert("old", ca=True, days=(-40, -1)))]),
        ("expired e", [("c.pem", LEAF + cert("inter", "root", ca=True, days=(-40, -1)))]),
        ("expired w", [("b.pem", ROOT + cert("old root", ca=True, days=(-40, -1)))]),
        ("not-yet-valid w", [("c.pem", cert("new", ca=True, days=(3, 40)))]),
        ("expires-soon w", [("c.pem", cert("soon", ca=True, days=(-40, 30)))]),
        ("expires-soon w", [("c.pem", cert("soon", ca=True, days=(-40, 1)))]),
        ("chain-order w", [("c.pem", ROOT + INTER + LEAF)]),
        ("chain-order w", [("c.pem", INTER + LEAF)]),
        ("chain-order e", [("c.pem", INTER + LEAF), ("c.key", key_pem("leaf"))]),
        ("chain-incomplete w", [("c.pem", LEAF + ROOT)]),
        ("chain-incomplete w", [("c.pem", LEAF), ("i.pem", INTER)]),
        ("not-a-ca w", [("ca.pem", cert("flagless"))]),
        ("not-a-ca w", [("ca.pem", cert("flagless", ca=False))]),
        ("not-a-ca w", [("ca.pem", cert("no sign", ca=True, usage=False))]),
        ("ca-does-not-sign w", [("c.pem", cert("x", "root", by_key="rogue")), ("r.pem", ROOT)]),
        ("ca-does-not-sign e", [("c.pem", cert("x", "root", by_key="rogue") + ROOT)]),
        ("weak-key w", [("k.key", key_pem("w", "rsa1024"))]),
        ("weak-key w", [("c.pem", cert("w", "root", kind="rsa1024"))]),
        ("ed25519 w", [("k.key", key_pem("e", "ed"))]),
        ("ed25519 w", [("c.pem", cert("e", "root", kind="ed"))]),
        ("unsupported-key w", [("k.key", key_pem("k", "k1"))]),
        ("unsupported-key w", [("c.pem", cert("p", "root", kind="p192"))]),
        ("key-mismatch e", [("c.pem", LEAF + INTER), ("c.key", key_pem("other"))]),
        ("ca-key-present e", [("ca.pem", ROOT), ("ca.key", key_pem("root"))]),
        ("ca-key-present e", [("r.pem", ROOT), ("i.pem", INTER), ("x", key_pem("inter"))]),
        ("file-unwanted w", [("ca.pem", ROOT), ("README.txt", b"read me")]),
        ("names-look-alike w", [("certs/ca.pem", ROOT), ("certs/CA.pem", ROOT)]),
        ("names-look-alike w", [("c/root-1.pem", ROOT), ("c/root-2.pem", ROOT)]),
        ("names-look-alike w", [("root.pem", ROOT), ("rot.pem", ROOT)]),
        ("bom w", [("c.pem", b"\xef\xbb\xbf" + ROOT)]),
        ("not-pem e", [("c.pem", b"hello")]),
        ("not-pem e", [("c.pem", b"")]),
        ("not-pem e", [("c.cer", bytes.fromhex("3082"))]),
        ("not-pem e", [("c.pem", ROOT[:400])]),
    ],
)
def test_what_is_wrong_has_its_code(expected, files):
    code, severity = expected.split()
    assert (code, severity) in codes(*files)
    assert code in CODES


def openssl(*words, content=None):
    done = subprocess.run(
        ["openssl", *words], input=content, capture_output=True, timeout=30, check=True
    )
    return done.stdout


@pytest.mark.parametrize("digest", ["md5", "sha1"])
def test_weak_signatures(tmp_path, digest):
    (tmp_path / "k").write_bytes(key_pem("weak", "rsa"))
    words = ["req", "-x509", "-new", "-key", tmp_path / "k", "-subj", "/CN=weak", "-days", "99"]
    made = openssl(*map(str, words), f"-{digest}")
    assert ("weak-signature", "w") in codes(("c.pem", made))


def test_an_old_root_may_be_signed_with_sha1(manual_ca, manual_key):
    assert codes(("ca.pem", manual_ca), ("client.key", manual_key)) == set()


@pytest.mark.parametrize("form", ["ec", "pkcs8"])
def test_explicit_curve_parameters(form):
    words = ["-name", "prime256v1", "-genkey", "-noout", "-param_enc", "explicit"]
    made = openssl("ecparam", *words)
    if form == "pkcs8":
        made = openssl("pkcs8", "-topk8", "-nocrypt", content=made)
    assert ("explicit-curve", "e") in codes(("k.key", made))


@pytest.mark.parametrize("traditional", [False, True])
def test_a_key_with_a_passphrase(traditional):
    form = serialization.PrivateFormat
    made = new_key("leaf").private_bytes(
        PEM,
        form.TraditionalOpenSSL if traditional else form.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    assert ("encrypted-key", "e") in codes(("k.key", made))


def block(label, der):
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, base64.encodebytes(der), label)


@pytest.mark.parametrize(
    "pem, word",
    [
        (block(b"CERTIFICATE", bytes.fromhex("3003020100")), "no DER"),
        (
            block(b"CERTIFICATE", base64.b64decode(b"".join(key_pem("leaf").split(b"\n")[1:-2]))),
            "private key",
        ),
        (ROOT.replace(ROOT.split(b"\n")[3] + b"\n", b""), "lost"),
    ],
)
def test_the_cause_is_told_in_words(pem, word):
    [found] = [one for one in lint([File("c.pem", pem)]) if one.code == "not-pem"]
    assert word in found.text


def config(path="config.json", **changes):
    table = {
        "objects": [
            {"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem"},
            {"name": "dev.pem", "kind": "cert", "source": "/certs/dev.pem"},
            {"name": "dev.key", "kind": "key", "source": "/certs/dev.key"},
        ],
        "contexts": [
            {"ssl_id": 1, "auth": "mutual", "ca": "ca.pem", "cert": "dev.pem", "key": "dev.key"}
        ],
    }
    return Config(path, json.dumps(table | changes, indent=1).encode())


GOOD = [
    ("certs/ca.pem", ROOT),
    ("certs/dev.pem", LEAF + INTER),
    ("certs/dev.key", key_pem("leaf")),
]


def with_file(name, data):
    return [*[file for file in GOOD if file[0] != name], (name, data)]


@pytest.mark.parametrize(
    "expected, files",
    [
        ("file-missing e", GOOD[:2]),
        ("file-missing e", GOOD[1:]),
        ("file-unwanted w", with_file("certs/more.pem", ROOT)),
        ("file-unwanted w", with_file("certs/notes", b"x")),
        ("ca-key-present e", with_file("certs/ca.key", key_pem("root"))),
        ("key-mismatch e", with_file("certs/dev.key", key_pem("other"))),
        ("chain-order e", with_file("certs/dev.pem", INTER + LEAF)),
        ("not-a-ca w", with_file("certs/ca.pem", LEAF)),
        ("chain-incomplete w", with_file("certs/ca.pem", INTER)),
        ("not-pem e", with_file("certs/dev.key", LEAF)),
        ("expired e", with_file("certs/ca.pem", cert("root", ca=True, days=(-9, -1)))),
    ],
)
def test_a_config_says_what_files_are_for(expected, files):
    assert codes(*GOOD, config=config()) == set()
    assert tuple(expected.split()) in codes(*files, config=config())


def test_a_self_signed_device_certificate_is_no_ca_if_the_config_says_so():
    files = [GOOD[0], ("certs/dev.pem", cert("dev", ca=True)), ("certs/dev.key", key_pem("dev"))]
    assert ("ca-key-present", "e") in codes(*files)
    assert codes(*files, config=config()) == set()


def test_a_device_that_passes_over_dates_is_only_warned():
    context = {"ssl_id": 1, "auth": "server", "ca": "ca.pem", "ignorestamp": True}
    objects = [{"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem"}]
    files = [("certs/ca.pem", cert("root", ca=True, days=(-9, -1)))]
    settings = config(objects=objects, contexts=[context])
    assert codes(*files, config=settings) == {("expired", "w")}


@pytest.mark.parametrize(
    "data, code, place",
    [
        (b'{"objects": [],\n "contexts": [}', "bad-config", (2, 15)),
        (b'\xef\xbb\xbf{"objects": [], "contexts": []}', "bom", (1, 1)),
        ('{"a": "é"}'.encode("latin-1"), "not-utf8", (1, 8)),
        (b"[1, 2]", "bad-config", (None, None)),
        (b"[" * 100000, "bad-config", (None, None)),
        (b'{"objects": []}', "bad-config", (None, None)),
        (b'{"objects": [],\n "contexts": [],\n  "objects": []}', "bad-config", (3, 3)),
        (
            b'{"objects": [], "contexts": [],\n"uart":{"id":1,"id":1,"baud":9600}}',
            "bad-config",
            (2, 16),
        ),
        (config(module={"anp": "x"}).data, "bad-config", (29, None)),
        (config(wachdog_s=60).data, "bad-config", (28, None)),
        (config(retry={"first_s": 0, "most_s": 5}).data, "bad-config", (29, None)),
        (config(retry={"first_s": 9, "most_s": 5}).data, "bad-config", (30, None)),
        (config(retry={"first_s": 9}).data, "bad-config", (28, None)),
        (config(endpoint=[]).data, "bad-config", (28, None)),
        (
            config(contexts=[{"ssl_id": 1, "auth": "server", "ca": "dev.key"}]).data,
            "bad-config",
            (23, None),
        ),
        (config(contexts=[7]).data, "bad-config", (20, None)),
        (config(contexts=[{"ssl_id": 9, "auth": "none"}]).data, "bad-config", (21, None)),
        (config(contexts=[{"ssl_id": 1, "auth": "maybe"}]).data, "bad-config", (22, None)),
    ],
)
def test_a_config_that_cannot_be(data, code, place):
    found = lint([], Config("config.json", data, complete=False))
    assert [(one.code, one.severity) for one in found] == [(code, "error")]
    assert (found[0].line, found[0].column) == place


def test_all_that_is_wrong_in_a_config_is_told_at_once():
    table = {
        "uart": {"id": True, "baud": "115200", "tx": 17, "rx": 18},
        "module": {"model": 307},
        "objects": [{"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem", "size": "1"}],
        "contexts": [{"ssl_id": 1, "auth": "none", "ignoreverify": "false"}],
        "watchdog_s": 0,
    }
    data = json.dumps(table, indent=1).encode()
    found = lint([], Config("config.json", data, complete=False))
    lines = data.decode().split("\n")
    for one, name in zip(
        found, ("id", "baud", "model", "size", "ignoreverify", "watchdog_s"), strict=True
    ):
        assert f'"{name}"' in lines[one.line - 1]
        assert one.text.split(" ")[0].endswith(name)


def test_a_config_for_main_py_has_all_that_it_needs_and_nothing_else():
    whole = json.loads((ROOT_FOLDER / "config.json").read_bytes())
    own = {name: whole[name] for name in ("objects", "contexts")} | {"sensors": 4}

    def found(table, **settings):
        data = json.dumps(table).encode()
        return [
            (one.code, one.severity, one.text.split(" ")[0])
            for one in lint([], Config("config.json", data, complete=False, **settings))
        ]

    assert found(whole, whole=True) == found(whole) == []
    assert found(own) == [("unknown-entry", "warning", "sensors")]
    assert found(own, whole=True) == [
        ("bad-config", "error", name)
        for name in ("sensors", "uart", "module", "endpoint", "retry")
    ]


@pytest.mark.parametrize(
    ("uart", "watchdog_s", "port", "wrong"),
    [
        ({"id": 1, "baud": 9600, "tx": 4, "rx": 5}, 60, None, []),
        ({"id": 1, "baud": 9600, "tx": 4, "rx": 5}, 60, "rp2", ["watchdog_s"]),
        ({"id": 2, "baud": 9600, "tx": 4, "rx": 5}, 8, "rp2", ["uart.id"]),
        ({"id": "XA", "baud": 9600, "rts": True}, 32, None, []),
        ({"id": 2, "baud": 9600}, 60, None, ["watchdog_s"]),
        ({"id": 2, "baud": 9600}, None, "esp32", ["uart.tx", "uart.rx"]),
        ({"id": 2, "baud": 300}, None, "pyboard", ["uart.baud"]),
    ],
)
def test_a_config_is_for_a_port(uart, watchdog_s, port, wrong):
    settings = config(uart=uart, watchdog_s=watchdog_s)
    found = lint([], Config("c", settings.data, complete=False, port=port))
    assert [one.text.split(" ")[0] for one in found] == wrong


def test_an_object_that_the_module_has_already_needs_no_file():
    objects = json.loads(config().data)["objects"]
    objects[0] = {"name": "ca.pem", "kind": "cert", "md5": "f" * 32}
    assert codes(*GOOD[1:], config=config(objects=objects)) == set()


def server_cert(*hosts, name="broker", by="root", usages=None):
    names = [
        x509.IPAddress(ipaddress.ip_address(host)) if host[-1].isdigit() else x509.DNSName(host)
        for host in hosts
    ]
    subject, issuer = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in (name, by)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(new_key(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 300 * DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    if usages:
        oids = [getattr(x509.ExtendedKeyUsageOID, usage) for usage in usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), False)
    return builder.sign(new_key(by), hashes.SHA256()).public_bytes(PEM)


@pytest.mark.parametrize(
    ("hosts", "name", "host", "severity"),
    [
        (("broker.example",), "b", "broker.example", None),
        (("other.example", "broker.example"), "b", "BROKER.example.", None),
        (("*.example.org",), "b", "broker.example.org", None),
        (("10.0.0.1",), "b", "10.0.0.1", None),
        (("broker.example", "2001:db8::1"), "b", "2001:0db8:0::1", None),
        (("broker.example",), "b", "broker.example.org", "e"),
        (("*.example.org",), "b", "example.org", "e"),
        (("*.example.org",), "b", "a.b.example.org", "e"),
        (("*.org",), "b", "example.org", "e"),
        (("b*.example.org",), "b", "broker.example.org", "e"),
        (("10.0.0.1",), "b", "10.0.0.2", "e"),
        (("10.0.0.1",), "10.0.0.2", "10.0.0.2", "e"),
        (("other.example",), "broker.example", "broker.example", "e"),
        ((), "broker.example", "broker.example", "w"),
        ((), "other.example", "broker.example", "e"),
    ],
)
def test_a_servers_certificate_is_for_its_host(hosts, name, host, severity):
    pem = server_cert(*hosts, name=name)
    found = lint([], None, None, NOW, server=File("server.pem", pem), host=host)
    assert [(one.code, one.severity[0]) for one in found] == (
        [("wrong-host", severity)] if severity else []
    )
    # Without being told which file it is: not the device's own, and no CA's.
    device = [
        File("ca.pem", ROOT),
        File("dev.pem", LEAF + INTER),
        File("dev.key", key_pem("leaf")),
    ]
    found = lint([*device, File("server.pem", pem)], None, None, NOW, host=host)
    assert [(one.file, one.code, one.severity[0]) for one in found] == (
        [("server.pem", "wrong-host", severity)] if severity else []
    )


def test_which_certificate_is_a_servers():
    client = server_cert("dev.example", name="dev", usages=["CLIENT_AUTH"])
    both = server_cert("dev.example", name="dev", usages=["CLIENT_AUTH", "SERVER_AUTH"])
    server = server_cert("dev.example", name="dev", usages=["SERVER_AUTH"])
    key = File("dev.key", key_pem("dev"))
    for files, is_one in (
        ([File("c.pem", client)], False),
        ([File("c.pem", both)], True),
        ([File("c.pem", both), key], False),
        ([File("c.pem", server), key], True),
        ([File("c.pem", server)], True),
        ([File("ca.pem", ROOT)], False),
    ):
        if is_one:
            [found] = lint(files, None, None, NOW, host="broker.example")
            assert found.code == "wrong-host"
            assert lint(files, None, None, NOW, host="dev.example") == []
        else:
            with pytest.raises(NoServer, match="--server-cert"):
                lint(files, None, None, NOW, host="broker.example")
    with pytest.raises(NoServer, match="--server-name"):
        lint([], None, None, NOW, server=File("c.pem", server))
    found = lint([File("c.pem", b"no PEM")], None, None, NOW, host="broker.example")
    assert [one.code for one in found] == ["not-pem"]


def test_names_in_a_config_that_look_alike():
    objects = [
        {"name": name, "kind": "cert", "source": f"/certs/{number}.pem"}
        for number, name in enumerate(("client-2024.pem", "client-2025.pem", "ca.pem"))
    ]
    found = codes(config=config(objects=objects, contexts=[]))
    assert found == {("names-look-alike", "w"), ("file-missing", "e")}


def onemo(*words):
    done = CliRunner().invoke(app, ["certs", "lint", *map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_command(tmp_path):
    folder = tmp_path / "certs"
    folder.mkdir()
    for name, data in GOOD:
        (tmp_path / name).write_bytes(data)
    settings = tmp_path / "config.json"
    settings.write_bytes(config().data)
    assert onemo(folder, "--config", settings) == (0, "clean: 3 files\n", "")
    assert onemo(folder, "--config", settings, "--json") == (0, "[]\n", "")
    (folder / "below").mkdir()
    code, out, _ = onemo(folder, "--config", settings)
    assert code == 1 and "below: warning [file-unwanted]" in out
    (folder / "dev.key").write_bytes(key_pem("other"))
    code, out, _ = onemo(folder, "--config", settings, "--json")
    assert code == 2
    [one] = [one for one in json.loads(out) if one["severity"] == "error"]
    assert one["code"] == "key-mismatch"
    assert set(one) == {"file", "line", "column", "severity", "code", "text"}
    code, out, _ = onemo("--cert", folder / "dev.pem", "--key", folder / "dev.key")
    assert code == 2 and "[key-mismatch]" in out and "1 errors, 0 warnings" in out
    assert onemo()[0] == 2
    assert onemo(tmp_path / "none")[0] == 2
    assert onemo("--config", tmp_path / "none.json")[0] == 2
    assert onemo("--config", settings)[0] == 0, "without files only the config is looked at"


def test_the_command_and_a_server(tmp_path):
    (tmp_path / "server.pem").write_bytes(server_cert("broker.example"))
    (tmp_path / "ca.pem").write_bytes(ROOT)
    endpoint = {"host": "broker.example", "port": 1, "ssl_id": 1, "topic": "t", "every_s": 1}
    settings = tmp_path / "config.json"
    settings.write_bytes(config(endpoint=endpoint).data)
    server = ("--server-cert", tmp_path / "server.pem")
    assert onemo(*server, "--server-name", "broker.example")[0] == 0
    assert onemo(*server, "--config", settings)[0] == 0
    assert onemo(*server, "--config", settings, "--server-name", "x.example")[0] == 2
    code, out, _ = onemo(tmp_path / "server.pem", "--server-name", "x.example")
    assert code == 2 and "server.pem:1: error [wrong-host]" in out
    assert "is for broker.example, not for x.example" in out
    code, _, err = onemo(*server)
    assert code == 2 and "Give --server-name" in err
    code, _, err = onemo(tmp_path / "ca.pem", "--server-name", "x.example")
    assert code == 2 and "Give it as --server-cert" in err
    assert onemo("--server-cert", tmp_path / "none.pem", "--server-name", "x")[0] == 2


def test_the_command_and_a_port(tmp_path):
    settings = tmp_path / "config.json"
    settings.write_bytes(config(watchdog_s=60).data)
    assert onemo("--config", settings)[0] == 0
    assert onemo("--config", settings, "--platform", "esp32")[0] == 0
    code, out, _ = onemo("--config", settings, "--platform", "rp2")
    assert code == 2 and "config.json:28: error [bad-config] watchdog_s is 60" in out
    code, _, err = onemo("--config", settings, "--platform", "rp2040")
    assert code == 2 and "none of esp32, rp2, stm32" in err


def test_status_and_codes():
    warning, error = (Finding("f", "expired", s, "t") for s in ("warning", "error"))
    assert [status(found) for found in ([], [warning], [warning, error])] == [0, 1, 2]
    with pytest.raises(ValueError, match="no code"):
        Finding("f", "new", "error", "t")


ONE_LINE = b" ".join(LEAF.split(b"\n"))
MENDABLE = {
    "text.pem": b"subject=CN = leaf\n\n" + LEAF + b"issuer=\n",
    "gbk.pem": "证书\n".encode("gbk") + LEAF,
    "spaces.pem": LEAF.replace(b"\n", b"  \r\n"),
    "cr.pem": LEAF.replace(b"\n", b"\r"),
    "bom.pem": b"\xef\xbb\xbf" + LEAF,
    "utf16.pem": LEAF.decode().encode("utf-16"),
    "escaped.pem": LEAF.replace(b"\n", rb"\n"),
    "quoted.pem": b'"' + LEAF.replace(b"\n", rb"\r\n") + b'"',
    "program.pem": b"".join(b'"%s\\n"\n' % line for line in LEAF.split(b"\n") if line),
    "indented.pem": LEAF.replace(b"\n", b"\n    "),
    "one-line.pem": ONE_LINE,
    "no-breaks.pem": LEAF.replace(b"\n", b""),
    "typo.pem": LEAF.replace(b"CERTIFICATE-----", b"CERTIFICATE -----"),
    "dashes.pem": LEAF.replace(b"-----END", b"----END"),
    "long.pem": b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----"
    % b"".join(LEAF.split(b"\n")[1:-2]),
    "der.cer": x509.load_pem_x509_certificate(LEAF).public_bytes(serialization.Encoding.DER),
    "base64.pem": base64.encodebytes(LEAF),
    "der64.pem": b"".join(LEAF.split(b"\n")[1:-2]),
    "twice.pem": LEAF + LEAF,
}


@pytest.mark.parametrize("name", MENDABLE)
def test_a_mended_copy_is_the_certificate(tmp_path, name):
    source, fixed = tmp_path / name, tmp_path / "fixed"
    source.write_bytes(MENDABLE[name])
    code, out, err = onemo(source, "--fix", fixed)
    assert (code, out) == (0, "clean: 1 files\n"), err
    assert (fixed / name).read_bytes() == LEAF
    assert str(fixed / name) in err
    assert source.read_bytes() == MENDABLE[name]
    # And once more there: nothing is ever overwritten.
    code, _, err = onemo(source, "--fix", fixed)
    assert code == 2 and "is there already" in err


def test_chains_are_put_in_order_and_joined_blocks_parted(tmp_path):
    joined = (ROOT.strip() + LEAF.strip() + INTER).replace(b"-----\n\n", b"-----\n")
    (tmp_path / "chain.pem").write_bytes(joined)
    assert onemo(tmp_path / "chain.pem", "--fix", tmp_path / "fixed")[0] == 0
    assert (tmp_path / "fixed" / "chain.pem").read_bytes() == LEAF + INTER + ROOT


def test_certificate_and_key_out_of_an_answer_in_json(tmp_path):
    answer = {
        "certificateArn": "arn:…",
        "certificatePem": LEAF.decode(),
        "keyPair": {"PublicKey": "-", "PrivateKey": key_pem("leaf").decode()},
    }
    (tmp_path / "aws.json").write_text(json.dumps(answer))
    fixed = tmp_path / "fixed"
    assert onemo(tmp_path / "aws.json", "--fix", fixed)[0] == 0
    assert (fixed / "aws-certificatePem.pem").read_bytes() == LEAF
    key = fixed / "aws-PrivateKey.key"
    assert key.read_bytes() == key_pem("leaf")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_keys_are_for_their_owner_only(tmp_path, mask):
    (tmp_path / "both.pem").write_bytes(LEAF + key_pem("leaf"))
    der = new_key("leaf").private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "raw.key").write_bytes(der)
    before = os.umask(mask)
    try:
        code, _, err = onemo(tmp_path / "both.pem", tmp_path / "raw.key", "--fix", tmp_path / "f")
    finally:
        os.umask(before)
    assert code == 0, err
    for name in ("both.key", "raw.key"):
        assert (tmp_path / "f" / name).read_bytes() == key_pem("leaf")
        assert stat.S_IMODE((tmp_path / "f" / name).stat().st_mode) == 0o600


def test_what_cannot_be_mended_is_not_written(tmp_path):
    (tmp_path / "bad.pem").write_bytes(ROOT[:-60])
    key = block(b"CERTIFICATE", base64.b64decode(b"".join(key_pem("leaf").split(b"\n")[1:-2])))
    (tmp_path / "key.pem").write_bytes(key)
    code, out, _ = onemo(tmp_path / "bad.pem", tmp_path / "key.pem", "--fix", tmp_path / "fixed")
    assert code == 2
    assert out.count("[not-pem]") == 2
    assert list((tmp_path / "fixed").iterdir()) == []


def test_no_word_of_a_key_is_shown(tmp_path):
    for number, data in enumerate((key_pem("leaf"), key_pem("leaf")[:-40], key_pem("e", "ed"))):
        (tmp_path / f"{number}.key").write_bytes(data)
    _, out, err = onemo(tmp_path)
    lines = [line for name in ("leaf",) for line in key_pem(name).decode().split("\n")[1:-2]]
    assert not any(line[i : i + 12] in out + err for line in lines for i in range(len(line) - 12))
