# SPDX-License-Identifier: MIT
"""config.json: each entry's type and range, names that are not known, files that are no JSON."""

import inspect
import io
import json
import re
import sys
import types

import onemo
import pytest
from config_cases import ACROSS, CONFIG, ENTRIES, MISSING, VALUES, changed, shown
from onemo import profile, profile_check, schema, suites, tls, tls_rows

BROKEN = [suite for suite in suites.ids() if suites.strength(suite) == "broken"]


def faults(config, port="esp32"):
    return list(profile_check.faults(config, port=port))


def test_the_configuration_that_the_cases_begin_with_is_right():
    assert faults(CONFIG) == []


@pytest.mark.parametrize("path", ENTRIES)
def test_each_entry_takes_what_it_may_be_and_nothing_else(path):
    accepts, optional = ENTRIES[path]
    for value in VALUES:
        found = faults(changed(path, value))
        right = accepts(value)
        if path.endswith("ciphersuite") and type(value) is int and value in BROKEN:
            right = False
        elif path.endswith("ciphersuite") and type(value) is int:
            right = value == 0 or value in suites.ids()
        if path == "contexts.0.ssl_id" and value == 2:
            right = False
        if path == "module.model" and isinstance(value, str) and right:
            # A model that is not known has no PSKs, and less than all versions.
            assert [said.split(" ")[0] for said in found] == ["objects[3].kind"], value
            continue
        assert (found == []) == right, (path, value, found)
        if not right:
            said = found[0]
            beside = {
                "retry.first_s": "retry.most_s",
                "contexts": "endpoint.ssl_id",
                "contexts.0.ssl_id": "endpoint.ssl_id",
                "endpoint.ssl_id": "contexts[1].auth",
            }
            if path.endswith((".name", ".kind")) or path == "objects":
                assert said.startswith((shown(path), "contexts[", "objects[")), said
            elif path in beside:
                assert said.startswith((shown(path), beside[path], "contexts[1].ssl_id")), said
            elif path == "contexts.1.auth":
                assert said.startswith("contexts[1]."), said
            else:
                assert said.startswith(f"{shown(path)}"), said
    without = faults(changed(path, MISSING)) if _is_there(path) else []
    if path.rpartition(".")[2].isdigit():
        return  # one object or context less
    assert (without == []) == (optional or not _is_there(path)), (path, without)
    if without:
        assert f"{shown(path)} is missing; it must be " in without[0]


def _is_there(path):
    try:
        changed(path, MISSING)
    except (KeyError, IndexError):
        return False
    return True


def test_every_row_is_looked_at():
    looked_at = {re.sub(r"\d+\]", "]", shown(path)) for path in ENTRIES}
    rows = [
        (f"{above}.{name}" if above else name)
        for above in schema.ROWS
        for name, _, _ in schema.children(above, "")
    ]
    assert set(rows) <= looked_at | {f"{path}[]" for path in looked_at}


@pytest.mark.parametrize(("change", "said"), ACROSS)
def test_what_entries_must_be_to_one_another(change, said):
    found = faults(changed(*change))
    assert found and found[0].startswith(said), found


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "uart",
            [],
            'is []; it must be an object such as {"id": 1, "baud": 115200, "tx": 17, "rx": 18}',
        ),
        ("objects", {}, "is {}; it must be a list of certificates and keys"),
        (
            "recovery",
            7,
            'is 7; it must be an object such as {"after": 3, "tries": 2, "rest_s": 1800}, or null',
        ),
        ("contexts.0.session", 1, "is 1; it must be true or false"),
        ("contexts.0.auth", 1, 'is 1; it must be "none", "server" or "mutual"'),
        ("contexts.0.version", 7, "is 7; it must be 0, 1, 2, 3 or 255"),
        ("module.pdp_type", "x", 'is "x"; it must be "IP", "IPV6" or "IPV4V6", or null'),
        (
            "recovery.steps",
            ["power", 1],
            'is [...]; it must be a list of "context", "radio", "module", "uart", "power" or '
            '"board", or null',
        ),
        (
            "contexts.0.ciphersuite",
            [],
            "is []; it must be the name or the id of a cipher suite, such as "
            '"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" or "0xC02F"',
        ),
        (
            "contexts.0.ciphersuite",
            "x" * 64,
            'is "xxxxxxxxxxxxxxxxxxx..."; it must be the name of a cipher suite such as '
            '"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", or its id (49199 or "0xC02F"), of manual '
            "5.1",
        ),
        (
            "contexts.0.ciphersuite",
            "x",
            'is "x"; it must be the name of a cipher suite such as '
            '"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", or its id (49199 or "0xC02F"), of manual '
            "5.1",
        ),
        (
            "contexts.0.ciphersuite",
            "x" * 65,
            'is "xxxxxxxxxxxxxxxxxxx..."; it must be the name or the id of a cipher suite, such '
            'as "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" or "0xC02F"',
        ),
        ("objects.0.md5", "00", 'is "00"; it must be 32 hexadecimal digits, or null'),
        ("watchdog_s", 0, "is 0; it must be an integer from 1 to 86400, seconds, or null"),
        (
            "uart.id",
            "x",
            'is "x"; it must be an integer from 0 to 15, the UART\'s number on this board',
        ),
        (
            "endpoint.topic",
            "a/#",
            'is "a/#"; it must be a string of 1 to 200 characters, how topics begin',
        ),
        ("endpoint.user", "", 'is ""; it must be a string of 1 to 255 characters, or null'),
        (
            "endpoint.host",
            'a"b',
            "'a\"b' contains '\"'; use printable ASCII without quote, comma or backslash",
        ),
        # secrets
        ("module.sim_pin", "12a4", "is wrong; it must be a string of 4 to 8 digits, or null"),
        ("module.sim_pin", "123X", "is wrong; it must be a string of 4 to 8 digits, or null"),
        (
            "module.password",
            "x" * 100,
            "is wrong; it must be a string of 1 to 99 characters, or null",
        ),
        (
            "module.password",
            "se,cret",
            "contains ','; use printable ASCII without quote, comma or backslash",
        ),
        ("endpoint.password", "", "is wrong; it must be a string of 1 to 255 characters, or null"),
    ],
)
def test_what_a_value_is_and_what_it_must_be_is_told(path, value, said):
    config = changed("recovery", {}) if path.startswith("recovery.") else CONFIG
    assert faults(changed(path, value, config)) == [f"{shown(path)} {said}"]


def misspelt(name):
    """As people misspell: a letter lost, doubled, swapped, another; another case; cut short."""
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + name[at] + name[at:]
        yield name[:at] + "q" + name[at + 1 :]
        yield name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    yield name.upper()
    yield name.replace("_", "-")
    yield name.replace("_", "")
    yield name + "s"


@pytest.mark.parametrize("above", schema.ROWS)
def test_a_misspelt_name_is_named_with_the_one_that_was_meant(above):
    names = [name for name, _, _ in schema.children(above, "esp32")]
    place = {"objects[]": "objects.0.", "contexts[]": "contexts.0."}.get(
        above, f"{above}." if above else ""
    )
    tried = 0
    for name in names:
        for wrong in misspelt(name):
            if wrong in names or len(wrong) < 2 or wrong.isdigit():
                continue
            found = faults(changed(place + wrong, None))
            assert len(found) == 1
            where = shown(place + wrong)
            assert found[0].startswith(f"{where} is not known "), found
            # `ca`, `tx`, `key` are too short to tell, "xbuf" may be either
            if len(name) > 3 and wrong not in ("xbuf", "qxbuf"):
                assert found[0] == f'{where} is not known ("{wrong}": did you mean "{name}"?)'
            tried += 1
    assert tried > 5 * len(names)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("qqdpoint", "endpoint"),
        ("qqqpoint", None),
        ("watch_dog_s", "watchdog_s"),
        ("obiekts", "objects"),
        ("obiekte", None),
        ("uqqt", None),
        ("Retry", "retry"),
        ("retryPolicy", "retry"),
        ("", None),
        ("é", None),
    ],
)
def test_how_near_a_name_must_be(name, meant):
    [said] = faults({**CONFIG, name: 1})
    assert ("did you mean" in said) is (meant is not None)
    assert meant is None or f'"{name}": did you mean "{meant}"?' in said


def test_an_object_that_the_module_has_already_needs_no_source():
    config = changed("objects.0", {"name": "ca.pem", "kind": "cert", "md5": "0" * 32})
    assert faults(config) == []
    config["objects"][0]["md5"] = None
    assert faults(config) == ["objects[0].source is missing; it must be the path of a file"]


def test_a_misspelt_name_in_place_of_the_right_one_comes_first():
    for path, wrong in (("retry.most_s", "most"), ("uart.baud", "bauds"), ("objects", "object")):
        config = changed(path, MISSING)
        place = path.rpartition(".")[0]
        (config[place] if place else config)[wrong] = 1
        said = faults(config)[0]
        assert f'"{wrong}": did you mean "{path.rpartition(".")[2]}"?' in said


@pytest.mark.parametrize(
    ("port", "path", "good", "bad"),
    [
        ("rp2", "watchdog_s", 8, 9),
        ("rp2", "watchdog_s", None, 60),
        ("rp2350", "watchdog_s", 16, 17),
        ("pyboard", "watchdog_s", 32, 33),
        ("esp32", "watchdog_s", 86400, 86401),
        ("rp2", "uart.id", 1, 2),
        ("rp2350", "uart.id", 0, 3),
        ("pyboard", "uart.id", "XA", ""),
        ("pyboard", "uart.id", 6, 6.0),
        ("esp32", "uart.id", 2, "XA"),
        ("esp32", "uart.rxbuf", 129, 128),
        ("rp2", "uart.rxbuf", 32, 31),
        ("pyboard", "uart.rts", True, 7),
        ("esp32", "uart.rts", 7, True),
        ("pyboard", "uart.tx", None, 17),
        ("pyboard", "uart.tx", None, "X9"),
        ("pyboard", "uart.tx", MISSING, 17),
        ("pyboard", "uart.txbuf", None, 512),
    ],
)
def test_limits_are_those_of_the_port(port, path, good, bad):
    base = CONFIG
    if port == "pyboard":
        base = changed("uart", {"id": 2, "baud": 115200, "tx": None})
    assert faults(changed(path, good, base), port) == []
    [said] = faults(changed(path, bad, base), port)
    assert said.startswith(f"{path} is ")


def test_a_uart_that_has_a_name_may_be_given_by_it():
    uart = {"id": "a name too long", "baud": 115200, "tx": None}
    assert faults(changed("uart", uart), "pyboard") == [
        'uart.id is "a name too long"; it must be an integer from 0 to 15, the UART\'s number on '
        "this board, or its name"
    ]


@pytest.mark.parametrize("entry", ["endpoint.every_s", "retry.first_s", "retry.most_s"])
def test_intervals_of_weeks_are_small_integers_of_a_32_bit_board(entry):
    """They are waited for in pieces: MicroPython's ticks_add takes less than 2**29 ms there."""
    above, name = entry.split(".")
    [longest] = [int(row[2].split(" ")[1]) for row in schema.children(above, "") if row[0] == name]
    assert 52 * 604800 <= longest < 1 << 30
    config = changed("retry.most_s", longest)
    assert faults(changed(entry, longest, config)) == []
    for seconds in (longest + 1, 1 << 29, 1 << 30):
        assert faults(changed(entry, seconds, config))[0].startswith(f"{entry} is {seconds}; ")


def test_what_a_new_row_may_be(monkeypatch):
    """An object that may be left out, one inside another, lists below the top."""
    rows = {
        "": "box object? such as {}\nbags list~ of bags\n",
        "box": "size int 1 3\nlid object~ with colour\nflaps list? of flaps\n",
        "box.lid": 'colour of "red" "blue"\n',
        "box.flaps[]": "side text 1 9\n",
        "bags[]": "full bool\nfull@rp2 bool\n",
    }
    monkeypatch.setattr(schema, "ROWS", rows)
    for good in (
        {},
        {"bags": None},
        {"bags": [{"full": True}], "box": {"size": 1}},
        {"box": {"size": 3, "lid": None, "flaps": []}},
        {"box": {"size": 3, "lid": {"colour": "red"}, "flaps": [{"side": "a"}, {"side": "b"}]}},
    ):
        assert list(schema.faults(good)) == []
    for bad, said in (
        ({"box": None}, "box is null; it must be an object such as {}"),
        ({"box": []}, "box is []; it must be an object such as {}"),
        ({"bags": {}}, "bags is {}; it must be a list of bags, or null"),
        ({"box": {}}, "box.size is missing"),
        (
            {"box": {"size": 1, "lid": 7}},
            "box.lid is 7; it must be an object with colour, or null",
        ),
        ({"box": {"size": 1, "lid": {"color": "red"}}}, "box.lid.color is not known"),
        ({"box": {"size": 1, "flaps": [{"side": 1}]}}, "box.flaps[0].side is 1; it must be"),
        ({"bags": [{"full": True}, {"full": 1}]}, "bags[1].full is 1; it must be true or false"),
    ):
        assert next(schema.faults(bad)).startswith(said)


def test_which_port_this_is(monkeypatch):
    for platform, machine, port in (
        ("rp2", "Raspberry Pi Pico with RP2040", "rp2"),
        ("rp2", "Raspberry Pi Pico 2 with RP2350", "rp2350"),
        ("stm32", "", "pyboard"),
        ("esp32", "", "esp32"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(sys.implementation, "_machine", machine, raising=False)
        assert schema.this_port() == port
    monkeypatch.setattr(sys, "platform", "rp2")
    monkeypatch.delattr(sys.implementation, "_machine", raising=False)
    assert schema.this_port() == "rp2"


@pytest.mark.parametrize(
    ("platform", "has", "port"),
    [
        ("renesas-ra", "", "pyboard"),
        ("nrf52", "", "nrf"),
        ("linux", "esp32", "linux"),
        ("a product", "esp32", "esp32"),
        ("a product", "_rp2", "rp2"),
        ("a product", "stm", "pyboard"),
        ("a product", "mimxrt", "mimxrt"),
        ("a product", "samd", "samd"),
        ("a product", "renesas", "pyboard"),
        ("a product", "nrf", "nrf"),
        ("a product", "", "a product"),
    ],
)
def test_a_board_with_a_name_of_its_own_is_known_by_what_it_can_import(
    monkeypatch, platform, has, port
):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("esp32", "_rp2", "stm", "mimxrt", "samd", "renesas", "nrf"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name) if name == has else None)
    assert schema.this_port() == port


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        ("MN316", ("contexts.0.ssl_id", 5), "contexts[0].ssl_id is 5; it must be an integer from"),
        (
            "MN316-S",
            ("contexts.1.ssl_id", 5),
            "contexts[1].ssl_id is 5; it must be an integer",
        ),
        (
            "MN326-X",
            ("contexts.0.ssl_id", 5),
            "contexts[0].ssl_id is 5; it must be an integer",
        ),
        ("ML307R", ("module.apn", None), 'objects[3].kind is "psk"; it must be "cert" or "key"'),
        ("ML302S", ("module.apn", None), 'objects[3].kind is "psk"; it must be "cert" or "key"'),
        (
            "nobody's",
            ("contexts.0.version", 1),
            "contexts[0].version is 1; it must be 3 or 255 on",
        ),
    ],
)
def test_limits_are_those_of_the_model_where_it_is_given(model, change, said):
    config = changed(*change)
    if change[0] == "contexts.0.ssl_id":
        config["endpoint"]["ssl_id"] = change[1]
    assert faults(config) == []
    config["module"]["model"] = model
    assert faults(config)[0].startswith(said)


def test_the_rows_of_a_context_are_those_of_configure():
    rows = {name: (kind, wants) for name, kind, wants in schema.children("contexts[]", "")}
    parameters = inspect.signature(tls.TLSContext.configure).parameters
    assert set(rows) == {"ssl_id", *parameters} - {"self", "send"}
    for option in tls_rows.ROWS:
        kind, wants = rows.get(option.arguments[0], ("", ""))
        if kind == "int?":
            assert wants.split(" ")[:2] == [str(option.low), str(option.high)]
        assert (kind in ("bool?", "bool~")) is (option.high == 1)
    for name in ("negotime_s", "version", "ciphersuite", "session", "allow_broken"):
        assert rows[name][0].endswith("?"), "what is left out gets configure's default"


def test_values_that_python_gives():
    """What is no JSON, but may stand in a profile made by a program."""
    source = io.BytesIO(b"")
    config = changed("objects.0.source", source)
    assert faults(config) == []
    for value in (b"/certs/ca.pem", bytearray(b"x"), object(), ("a",), 1j, {1}):
        assert faults(changed("objects.0.source", value))[0].startswith("objects[0].source is ")
        assert faults(changed("endpoint.port", value))[0].startswith("endpoint.port is ")
    for name in (7, None, (), b"x", 1.5, "", " ", "id int", "id@pyboard", "0", "a.b"):
        config = changed("retry.first_s", 1)
        config["uart"][name] = 1
        assert len(faults(config)) == 1, name


def test_no_key_is_shown():
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n" * 9
    for path in ("objects.0.source", "objects.0.name", "contexts.0.key", "endpoint.host"):
        for value in (pem, pem.encode(), [pem], {"a": pem}):
            for said in faults(changed(path, value)):
                assert "MIGHAg" not in said


def test_of_an_applications_own_entries_only_misspelt_ones_are_faults():
    own = {
        **CONFIG,
        "wifi": {"ssid": "x"},
        "uart": 7,
        "retry": "never",
        "module": [],
        "endpoint": 1,
    }
    found = profile.checked(own)
    assert found == {name: CONFIG[name] for name in ("objects", "contexts")}
    for wrong in ("object", "Contexts", "contxets", "wachdog_s", "endpoimt", "rettry"):
        with pytest.raises(ValueError, match=f'{wrong} is not known .*did you mean "'):
            profile.checked({**CONFIG, wrong: 1})
    for path in ("objects.0.sources", "contexts.1.negotime"):
        with pytest.raises(ValueError, match="is not known"):
            profile.checked(changed(path, 30))


def test_a_journal_may_be_of_another_version():
    config = changed("objects.0.colour", "red")
    config["contexts"][0]["alpn"] = "mqtt"
    del config["objects"][1]["source"]
    assert profile.checked(config, True)["objects"] == config["objects"]
    with pytest.raises(ValueError, match=r"contexts\[0\].ca is 7"):
        profile.checked(changed("contexts.0.ca", 7, config), True)


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC02F),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", 0x2F),
        ("0xC02F", 0xC02F),
        ("0Xcca8", 0xCCA8),
        ("0x2f", 0x2F),
        ("0x0", 0),
        (0xC030, 0xC030),
        (0, 0),
    ],
)
def test_cipher_suites_by_name_and_by_number(given, number):
    config = changed("contexts.0.ciphersuite", given)
    assert faults(config) == []
    found = profile.checked(config)["contexts"][0]
    assert profile.settings(found)["ciphersuite"] == number
    assert config["contexts"][0]["ciphersuite"] == given, "the caller's is as it was"


def test_a_broken_suite_needs_to_be_allowed():
    for given in ("TLS_RSA_WITH_RC4_128_SHA", "0x5", 5):
        config = changed("contexts.0.ciphersuite", given)
        assert faults(config) == [
            f"contexts[0].ciphersuite is {json.dumps(given)}; it must be a sound one, for "
            'TLS_RSA_WITH_RC4_128_SHA is broken; or set "allow_broken": true'
        ]
        config["contexts"][0]["allow_broken"] = True
        assert faults(config) == []


def test_without_the_table_of_suites_none_can_be_named(monkeypatch):
    monkeypatch.delattr(onemo, "suites")
    monkeypatch.setitem(sys.modules, "onemo.suites", None)
    name = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    assert faults(changed("contexts.0.ciphersuite", name)) == [
        f'contexts[0].ciphersuite is "{name}"; it must be left out, for onemo/suites is not '
        "installed: install all of onemo"
    ]


GOOD_TEXT = json.dumps(CONFIG, indent=1).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xef\xbb\xbf" + GOOD_TEXT, "byte order mark: save it as UTF-8 without BOM"),
        (GOOD_TEXT.decode().encode("utf-16"), "UTF-16 or UTF-32 text: save it as UTF-8"),
        (GOOD_TEXT.decode().encode("utf-16-le"), "UTF-16 or UTF-32 text"),
        ("\u6839".encode("utf-16"), "UTF-16 or UTF-32 text"),
        ("\ufeff\u6839".encode("utf-16-be"), "UTF-16 or UTF-32 text"),
        (GOOD_TEXT.decode().encode("utf-16-be"), "UTF-16 or UTF-32 text"),
        (GOOD_TEXT.decode().encode("utf-32"), "UTF-16 or UTF-32 text"),
        (b"", "it is no JSON that can be read: look at line 1"),
        (b"{", "it is no JSON that can be read: look at line 1"),
        (b"\n\n{\n'a': 1}", "look at line 4"),
        (GOOD_TEXT[:-1], f"look at line {GOOD_TEXT.count(10) + 1}"),
        (GOOD_TEXT + b"}", f"look at line {GOOD_TEXT.count(10) + 1}"),
        (b'{"uart": trux}', "look at line 1"),
        (b'{\n"a": 1,\n' + b" " * 200 + b"x\n" + b"\n" * 500, "look at line 3"),
        (b'{\n"a": "\xe9"}\n\n\n\n\n', "look at line 2"),
        (b'{\n"uart": {"id": 01x}}', "look at line 2"),
        (b"uart:\n  id: 1\n", "look at line 1"),
        (b'{"a": "\xe9"}', "it is no JSON that can be read"),
        (b"[]", "it is []; it must be an object with $schema, uart, module, objects"),
        (b"[{}]", "it is [...]; it must be an object"),
        (b"3", "it is 3; it must be an object"),
        (b"null", "it is null; it must be an object"),
        (b'"uart"', 'it is "uart"; it must be an object'),
        (b"true", "it is true; it must be an object"),
        (b"{}", "uart is missing; it must be an object such as"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, data, said):
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        profile.read(str(path))
    assert said in str(caught.value)


def test_a_good_file_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "esp32")
    (tmp_path / "config.json").write_bytes(b"\r\n" + GOOD_TEXT.replace(b"\n", b"\r\n"))
    assert profile.read(str(tmp_path / "config.json")) == CONFIG
    monkeypatch.chdir(tmp_path)
    assert profile.read() == profile_check.load() == CONFIG
    with pytest.raises(OSError):
        profile.read(str(tmp_path / "none.json"))
    with pytest.raises(ValueError):
        profile_check.load(__file__)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (7, "endpoint is 7; it must be an object with host"),
        ({"host": "h", "ssl_id": 1}, "endpoint.port is missing"),
        ({"host": "h", "port": "1", "ssl_id": 1}, 'endpoint.port is "1"; it must be an integer'),
        ({"host": "", "port": 1, "ssl_id": 1}, 'endpoint.host is ""'),
        ({"host": "h", "port": 1, "ssl_id": True}, "endpoint.ssl_id is true"),
        ({"host": "h", "port": 1, "ssl_id": 1, "hots": "x"}, '"hots": did you mean "host"?'),
    ],
)
def test_the_endpoint_of_a_trial(endpoint, said):
    profile.check_endpoint({"host": "h", "port": 1, "ssl_id": 1, "client_name": "x"})
    with pytest.raises(ValueError) as caught:
        profile.check_endpoint(endpoint)
    assert said in str(caught.value)
