# SPDX-License-Identifier: MIT
"""A seeded sample of `make faults`, what it would find, and that its runs can be found again."""

import re

import pytest
import typer
import watched
from onemo import at_channel, cert_removal, certs, net_flow, tls
from onemo.at_channel import DONE, FLASH_MS
from onemo.cert_upload import Uploader
from onemo.errors import CommandError
from onemo_tools.proofs import sweep, sweep_faults, sweep_objects, sweep_world
from onemo_tools.proofs.marked import write_part
from onemo_tools.proofs.sweep_scenarios import ALL, BY_NAME
from typer.testing import CliRunner

SAMPLE = 3_036


@pytest.fixture(autouse=True)
def _unwatched():
    # The sweep looks for secrets itself; what conftest.py keeps of every driver costs time.
    watched.watch.on = False
    yield
    watched.watch.on = True


def explained(tally):
    return [f"--only {run} [{faults}] {why}" for run, faults, why in tally.failures]


@pytest.mark.parametrize(
    "task", list(sweep.parts(SAMPLE, list(BY_NAME))), ids=lambda task: task[0]
)
def test_a_sample(task):
    name, numbers = task
    tally = sweep.sweep(name, numbers)
    assert explained(tally) == []
    assert tally.scenarios.total() == len(numbers)
    assert tally.scenarios[name, sweep.ERROR] > 0  # faults do strike


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_without_a_fault_all_is_right(scenario):
    for variant in range(len(scenario.variants)):
        world, verdict = sweep_world.run(scenario, variant=variant)
        assert verdict == sweep_world.Verdict(sweep.RIGHT, "", False)
        assert world.module.violations == []


# Planted: damage to the driver that the sweep must find


def _believes_contexts(patch):
    def verify_op(self):
        yield from ()

    patch.setattr(tls.TLSContext, "verify_op", verify_op)


def _believes_ids(patch):
    patch.setattr(net_flow.ConnectionBuffer, "_check_id", lambda self: None)


def _fills_sends(patch):
    send = at_channel.Channel.send

    def filling(self, *args, **settings):
        settings.pop("fillable", None)
        send(self, *args, **settings)

    patch.setattr(at_channel.Channel, "send", filling)


def _believes_digests(patch):
    patch.setattr(Uploader, "_check_digest_line", lambda self: True)


def _removes_blindly(patch):
    def remove_op(modem, name, missing_ok):
        ch = modem.channel
        ch.command(b"+MSSLRM=").quote(name).send(FLASH_MS)
        removed = True
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            if not missing_ok or error.code != 762:
                raise
            removed = False
        return ch.set_result(removed)

    patch.setattr(cert_removal, "remove_listed_op", remove_op)


@pytest.mark.parametrize(
    ("plant", "scenario", "kind"),
    [
        (_believes_contexts, "two-tls", "connected: verified otherwise"),
        (_believes_contexts, "impostor", "connected: to a server"),
        (_believes_ids, "two-plain", "read: "),
        (_fills_sends, "two-plain", r"peer: it got b'(\\r)+'"),
        (_believes_digests, "write-key", "store: client-2025.key"),
        (_believes_digests, "write-cert", "store: cc.pem"),
        (_removes_blindly, "remove", "(removed|store): "),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_planted_is_found(monkeypatch, plant, scenario, kind):
    sweep.singles(scenario)  # of the driver as it is
    plant(monkeypatch)
    for first in range(0, 6000, 100):
        tally = sweep.sweep(scenario, range(first, first + 100))
        if any(re.match(kind, why) for _, _, why in tally.failures):
            return
    pytest.fail("it was not found")


# The oracle


def world(**settings):
    made = sweep_world.World(**settings)
    made.close()
    return made


def test_the_store_is_judged():
    key = (sweep_objects.KEY, "a.key")
    w = world(store={key: b"1"})
    w.holds(*key, b"1")
    with pytest.raises(sweep_world.Wrong, match=r"store: a\.key"):
        w.holds(*key, b"2")
    w.module.store.objects[sweep_objects.CERT, "b.pem"] = b""
    with pytest.raises(sweep_world.Wrong, match=r"stray: 'b\.pem'"):
        w.finish()
    w.tell(CommandError(None, "b.pem is there as well"))
    w.finish()  # it was told
    w = world(store={key: b"1"})
    w.module.store.objects.clear()
    with pytest.raises(sweep_world.Wrong, match=r"collateral: a\.key"):
        w.finish()


@pytest.mark.parametrize("where", ["trace", "error", "name", "content", "peer"])
@pytest.mark.parametrize("secret", [sweep_objects.KEY_2025, sweep_objects.PSK_BYTES])
def test_secrets_are_looked_for(where, secret):
    line = max(secret.splitlines(), key=len)
    w = world()
    w._judge_secrets()
    if where == "trace":
        w._hear(">", b"AT" + line)
    elif where == "error":
        w.tell(CommandError(None, line.decode()))
    elif where == "name":
        w.module.store.objects[sweep_objects.KEY, line[:20].decode()] = b""
    elif where == "content":
        w.module.store.objects[sweep_objects.CERT, "x"] = line
    else:
        w.network.open("x", 1, None, 1.0).sent += line
    with pytest.raises(sweep_world.Wrong, match="secret: "):
        w._judge_secrets()


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [(b"", False), (b"abc", False), (b"abcd", False), (b"abcde", True), (b"abx", True)],
)
def test_a_peer_holds_a_prefix(sent, wrong):
    w = world()
    conn = w.network.open("x", 1, None, 1.0)
    conn.sent += sent
    w.links.append(sweep_world.Link(None, conn, bytearray(b"abcd")))
    if wrong:
        with pytest.raises(sweep_world.Wrong, match="peer: "):
            w.finish()
    else:
        w.finish()
    w.links.clear()
    if sent:
        with pytest.raises(sweep_world.Wrong, match="peer: "):
            w.finish()


def test_a_hang_is_found(monkeypatch):
    monkeypatch.setattr(sweep_world, "WAITS_MAX", 3)
    tally = sweep_world.run(BY_NAME["two-tls"])[1]
    assert (tally.outcome, tally.why) == (sweep.WRONG, "hang: 3 waits")


@pytest.mark.parametrize("kind", [TypeError, IndexError, RuntimeError, MemoryError])
def test_an_error_without_a_type_of_ours_is_wrong(monkeypatch, kind):
    def broken(self, *args, **settings):
        raise kind("no")

    monkeypatch.setattr(certs.CertStore, "remove", broken)
    verdict = sweep_world.run(BY_NAME["remove"])[1]
    assert (verdict.outcome, verdict.why) == (sweep.WRONG, f"untyped: {kind.__name__}: no")


# Numbers


@pytest.mark.parametrize("name", ["remove", "aio-two"])
def test_a_number_is_the_same_run_again(name):
    for number in (0, 4, 17, 999):
        first, verdict, strikes = sweep.one(name, number, True)
        second, same, _ = sweep.one(name, number, True)
        assert verdict == same
        assert first.uart.log == second.uart.log
        assert len(strikes) == (
            2 if number % 5 == 4 or number > 5 * len(sweep.singles(name)) else 1
        )


def test_every_bit_of_every_byte_and_all_the_other_faults_are_among_them():
    found = sweep.singles("remove")
    counts = sweep_world.run(BY_NAME["remove"])[0].uart.counts
    flips = {(s.where, s.at, s.what) for s in found if s.kind == "flip"}
    assert flips == {
        (way, at, 1 << bit) for way in "<>" for at in range(counts[way]) for bit in range(8)
    }
    assert {s.kind for s in found} == set(sweep_faults.KINDS) - {"cancel", "two", "none"}
    assert any(s.kind == "cancel" for s in sweep.singles("aio-two"))
    assert len(set(found)) == len(found)
    taken = [sweep.strikes_of("remove", n) for n in range(len(found) * 5 // 4 + 5)]
    assert {strikes[0] for strikes in taken if len(strikes) == 1} == set(found)


def test_scenarios_have_equal_shares():
    for total in (SAMPLE, sweep.TOTAL):
        runs = dict.fromkeys(BY_NAME, 0)
        for name, numbers in sweep.parts(total, list(BY_NAME)):
            runs[name] += len(numbers)
        assert set(runs.values()) == {total // len(BY_NAME)}
    assert sweep.TOTAL >= 200_000


# The command


def run(*arguments):
    app = typer.Typer()
    app.command()(sweep.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_one_run_is_shown_with_all_of_it():
    done = run("--only", "commands/3")
    assert done.exit_code in (0, 1)
    assert "AT+CSQ" in done.output
    assert "faults: " in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--only", "nix/3"), "is no run"),
        (("--only", "remove"), "is no run"),
        (("--scenario", "nix"), "there is no 'nix'"),
        (("--total", 5), "Invalid value for '--total'"),
    ],
)
def test_garbage_is_refused_with_a_reason(arguments, says):
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


def test_a_wrong_run_is_an_exit_status_and_is_shown(monkeypatch):
    sweep.singles("remove")  # of a driver that is whole
    monkeypatch.setattr(cert_removal, "remove_listed_op", lambda *args: iter(()))
    done = run("--total", 23, "--scenario", "remove", "--jobs", 1)
    assert done.exit_code == 1
    assert "--only remove/" in done.output.replace("\n", "")


def test_the_readme_takes_the_table(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("a\n<!-- faults:begin -->\nold\n<!-- faults:end -->\nb\n")
    tally = sweep.Tally()
    tally.runs["flip", sweep.RIGHT] = 1200
    tally.runs["two", sweep.ERROR] = 3
    write_part(path, sweep.PART, sweep.markdown(tally))
    lines = path.read_text().splitlines()
    assert lines[0] == "a" and lines[-1] == "b"
    assert "| one bit flipped | 1,200 | 0 | 0 | 0 | 1,200 |" in lines
    assert "| all | 1,200 | 3 | 0 | 0 | 1,203 |" in lines
    assert "old" not in lines
    path.write_text("nothing")
    with pytest.raises(typer.BadParameter):
        write_part(path, sweep.PART, sweep.markdown(tally))
