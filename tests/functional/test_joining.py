"""A stranger joins by an invite, serves, and leaves; and what does not let it in says why."""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import tempfile
import time
import pathlib

import pytest

from network import MODEL, Network, free_port, question, run, wait_for, web


class Newcomer:
    """A home of its own, in a network that somebody else runs."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="planetserve-newcomer-"))
        self.port = free_port()

    def join(self, *arguments, check=True):
        return run("join", *arguments, "--home", self.home, "--port", self.port, check=check)

    def status(self):
        return json.loads(run("status", "--home", self.home, "--json").stdout)

    def ask(self, **more):
        reply = web.post(f"http://127.0.0.1:{self.port}/v1/chat/completions", json=question("Hello", max_tokens=4), timeout=60, **more)
        assert reply.status_code == 200, reply.text
        return reply

    def close(self):
        run("down", "--home", self.home, check=False)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="module")
def network():
    with Network(users=13, models=1) as started:
        started.up()
        yield started


@pytest.fixture(scope="module")
def invite(network):
    done = run("invite", "--home", network.home)
    assert "on this machine alone" in done.stderr, "all its addresses are loopback ones"
    return done.stdout.strip()


@pytest.fixture
def newcomer():
    newcomer = Newcomer()
    yield newcomer
    newcomer.close()


def listed(network):
    return {node["id"] for node in network.status()["model_nodes"]}


def written(home):
    return sorted(path.name for path in home.rglob("*") if path.is_file() and path.name != "lock")


def test_an_invite_is_enough_to_ask_and_to_serve(network, invite, newcomer):
    begun = time.monotonic()
    done = newcomer.join(invite)
    assert time.monotonic() - begun < 60, "some seconds, and time for a busy machine"
    assert "Joined local-" in done.stdout and "Relaying: yes, for nodes of this machine" in done.stdout, done.stdout
    assert "Serving:  no model" in done.stdout
    newcomer.ask()
    status = newcomer.status()
    assert [(node["name"], node["state"]) for node in status["nodes"]] == [("user-1", "running")]
    own = status["nodes"][0]["id"]
    healthy = run("doctor", "--home", newcomer.home)
    assert "Everything works." in healthy.stdout and "it relays for nodes of this machine" in healthy.stdout, healthy.stdout

    # Again, with nothing to change: the node that runs is left alone.
    pid = status["nodes"][0]["pid"]
    newcomer.join()
    assert newcomer.status()["nodes"][0]["pid"] == pid
    # After a stop it is the same node.
    run("down", "--home", newcomer.home)
    newcomer.join(invite)
    assert newcomer.status()["nodes"][0]["id"] == own

    served = newcomer.join("--serve", MODEL, "--threads", 1)
    assert f"Serving:  {MODEL}" in served.stdout
    node = next(node["id"] for node in newcomer.status()["nodes"] if node["role"] == "model")
    assert node in listed(network) or wait_for(lambda: node in listed(network), "the founder to see it")
    assert newcomer.ask(headers={"x-planetserve-model-node": node}).headers["x-planetserve-model-node"] == node

    left = run("leave", "--home", newcomer.home)
    assert "left its network" in left.stdout
    wait_for(lambda: node not in listed(network), "the founder to see it gone", 20)
    assert set(written(newcomer.home)) == {"keys", "replay_tags", "entry_relays"}, "what a relay that comes back must know"
    assert "is in no network yet" in run("join", "--home", newcomer.home, check=False).stderr


def test_a_node_that_relays_for_nobody_asks_and_is_not_listed(network):
    before = network.status()["directory"]["users"]
    node = network.start_user(settings="relay: {enabled: false}\n")
    wait_for(lambda: web.get(node.api + "/health").status_code == 200, "it to have paths", 30)
    reply = web.post(node.api + "/v1/chat/completions", json=question("Hello", max_tokens=4), timeout=60)
    assert reply.status_code == 200, reply.text
    time.sleep(4)  # a round of lists
    assert network.status()["directory"]["users"] == before


def text_of(body):
    body += hashlib.sha256(body).digest()[:4]
    return "planetserve:" + base64.urlsafe_b64encode(body).decode().rstrip("=")


def contact(identity, address):
    return bytes.fromhex(identity) + len(address).to_bytes(2, "big") + address.encode()


def verifier_of(network):
    genesis = json.loads((network.home / "genesis.json").read_text())["validators"][0]
    return genesis["public_key"], genesis["address"]


def test_what_is_no_invite_is_refused_and_nothing_is_written(network, invite, newcomer):
    identity, address = verifier_of(network)
    digest = base64.urlsafe_b64decode(invite.removeprefix("planetserve:") + "==")[1:33]
    dead = f"127.0.0.1:{free_port()}"
    wrong = {
        "hello": "begins otherwise",
        invite[:-1]: "a character in it is wrong, or some are missing",
        invite[:40] + ("A" if invite[40] != "A" else "B") + invite[41:]: "a character in it is wrong",
        text_of(b"\x07" + digest): "version 7",
        text_of(b"\x01" + digest + b"\x01" + contact(identity, dead)): dead,
        # A terminal would take it for an order.
        text_of(b"\x01" + digest + b"\x01" + contact(identity, "\x1b]0;x\x07")): "'?]0;x?' is not an address",
        # The right address, with another's key, and of another network.
        text_of(b"\x01" + digest + b"\x01" + contact("ab" * 32, address)): address,
        text_of(b"\x01" + bytes(32) + b"\x01" + contact(identity, address)): "network",
    }
    for text, said in wrong.items():
        done = newcomer.join(text, check=False)
        assert done.returncode == 1 and said in done.stderr, (said, done.stderr)
        assert written(newcomer.home) == [] and "\x1b" not in done.stderr
    # One contact of two that is alive is enough.
    two = text_of(b"\x01" + digest + b"\x02" + contact(identity, dead) + contact(identity, address))
    newcomer.join(two)
    newcomer.ask()


def test_a_contact_that_never_answers_is_given_up(network, invite, newcomer):
    digest = base64.urlsafe_b64decode(invite.removeprefix("planetserve:") + "==")[1:33]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        done = newcomer.join(text_of(b"\x01" + digest + b"\x01" + contact("ab" * 32, address)), check=False)
        assert done.returncode == 1 and address in done.stderr and time.monotonic() - begun < 25, done.stderr


def test_homes_are_not_mixed_up(network, invite, newcomer):
    """A home of `up`, one of `join`, and each other's commands."""
    whole = run("join", invite, "--home", network.home, check=False)
    assert "whole network of this machine" in whole.stderr, whole.stderr
    assert "whole network of this machine" in run("leave", "--home", network.home, check=False).stderr
    newcomer.join(invite)
    up = run("up", "--home", newcomer.home, check=False)
    assert "which others founded" in up.stderr and "planetserve join" in up.stderr
    foreign = text_of(b"\x01" + bytes(32) + b"\x01" + contact("ab" * 32, "127.0.0.1:9"))
    other = run("join", foreign, "--home", newcomer.home, check=False)
    assert "leave the first" in other.stderr
    # A crash is named with what starts the node again.
    os.kill(newcomer.status()["nodes"][0]["pid"], signal.SIGKILL)
    wait_for(lambda: newcomer.status()["nodes"][0]["state"] == "stopped", "it to be gone")
    doctor = run("doctor", "--home", newcomer.home, check=False)
    assert doctor.returncode == 1 and f"planetserve join --home {newcomer.home}" in doctor.stdout, doctor.stdout


def test_a_model_node_must_be_reached(network, newcomer):
    """In a network of more than this machine: an address of it is needed, and asked for before anything starts."""
    genesis = json.loads((network.home / "genesis.json").read_text())
    genesis["validators"][0]["address"] = "192.0.2.1:7700"
    (newcomer.home / "genesis.json").write_text(json.dumps(genesis))
    (newcomer.home / "network.json").write_text(json.dumps({
        "api_port": newcomer.port, "nodes": [{"name": "user-1", "role": "user"}],
        "joined": {"network": "far", "serve": "", "advertise": "", "operator": ""}}))
    done = newcomer.join("--serve", MODEL, check=False)
    assert done.returncode == 1 and "a model node has to be reached: give --advertise" in done.stderr, done.stderr
    for address, said in (("nonsense", "has no port"), ("127.0.0.1:7701", "nobody else reaches this machine at 127.0.0.1"),
                          ("0.0.0.0:7701", "nobody else reaches"), (f"192.0.2.7:{newcomer.port}", "give the API another with --port")):
        done = newcomer.join("--advertise", address, check=False)
        assert done.returncode == 1 and said in done.stderr, done.stderr


def test_what_cannot_start_changes_nothing(network, invite, newcomer):
    for option, value, said in (("--serve", "no-such-model", "nothing was joined"), ("--operator", "M\udcfcller", "printable"),
                                ("--operator", "x" * 65, "at most 64")):
        done = newcomer.join(invite, option, value, check=False)
        assert done.returncode == 1 and said in done.stderr, done.stderr
        assert "network.json" not in written(newcomer.home)
    newcomer.join(invite)
    own = newcomer.status()["nodes"][0]["id"]
    config = newcomer.home / "nodes" / "user-1" / "config.yaml"
    config.write_text(config.read_text() + "log_level: debug\n")
    newcomer.join()
    assert "log_level: debug" in config.read_text(), "its owner's"
    done = newcomer.join("--serve", "no-such-model", check=False)
    assert done.returncode == 1 and "no-such-model" in done.stderr and "runs as it did before" in done.stderr, done.stderr
    assert [(node["name"], node["id"]) for node in newcomer.status()["nodes"]] == [("user-1", own)]
    assert "log_level: debug" in config.read_text(), "still"
    # A shell takes a blank within for an end.
    newcomer.join(invite[:60], invite[60:])
    newcomer.ask()
    blank = newcomer.join(" ", check=False)
    assert blank.returncode == 1 and "not an invite" in blank.stderr, blank.stderr
