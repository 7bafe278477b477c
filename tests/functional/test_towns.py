"""People on hosts and in homes, behind the NAT of a real kernel."""

import json
import pathlib
import tempfile
import time

import pytest

from network import MODEL, PROGRAM, run
from town import Town, refusal

REASON = refusal()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "-")


class Village:
    """A verification node, relays and a model node on three hosts, each node started by its own configuration."""

    def __init__(self, town, folder):
        self.town, self.folder = town, folder
        self.addresses = {name: town.host(name) for name in ("north", "east", "south")}
        self.genesis = folder / "genesis.json"
        home = folder / "verifier"
        identity = run("id", "--home", home).stdout.strip()
        run("genesis", "--chain-id", "village", "--validator", f"v={identity}@{self.addresses['north']}:7700", "--out", self.genesis)
        self.node("verifier", "north", 7700, home)
        for number in range(12):
            where = ("east", "south")[number % 2]
            self.node("user", where, 7701 + number, folder / f"relay-{number}")
        self.node("model", "south", 7800, folder / "model",
                  f"models: [{{name: {MODEL}, catalogue: {MODEL}, slots: 2, context: 2048, threads: 1}}]\n")
        self.invite = run("invite", "--genesis", self.genesis)

    def node(self, role, where, port, home, settings=""):
        home.mkdir(exist_ok=True)
        address = self.addresses[where]
        (home / "config.yaml").write_text(f"home: {home}\ngenesis: {self.genesis}\nlisten: '{address}:{port}'\n" + settings)
        return self.town.start(where, home, PROGRAM, role, "--config", home / "config.yaml")


@pytest.fixture(scope="module")
def village():
    with tempfile.TemporaryDirectory(prefix="planetserve-town-") as folder, Town() as town:
        yield Village(town, pathlib.Path(folder))


def status(village, where, home):
    return json.loads(village.town.run(where, PROGRAM, "status", "--home", home, "--json").stdout)


def log(home, name):
    return (home / "nodes" / name / "log").read_text()


def test_a_laptop_behind_a_router_joins_and_asks(village):
    assert village.invite.stderr == "", "its addresses are public"
    router = village.town.home("laptop")
    home = village.folder / "laptop"
    begun = time.monotonic()
    joined = village.town.run("laptop", PROGRAM, "join", village.invite.stdout.strip(), "--home", home)
    took = time.monotonic() - begun
    print(f"joined in {took:.1f} s")
    assert "Joined village." in joined.stdout and "Relaying: no, for nobody was told how to reach this machine" in joined.stdout, joined.stdout
    told = village.town.run("laptop", PROGRAM, "chat", "--home", home, "--max-tokens", 4, "Hello").stdout
    assert told.strip()
    seen = status(village, "laptop", home)
    assert seen["ready"] and len([path for path in seen["paths"] if path["state"] == "up"]) == 4
    assert "registered" not in log(home, "user-1"), "a node that nobody reaches is no relay"
    doctor = village.town.run("laptop", PROGRAM, "doctor", "--home", home)
    assert "relays for nobody" in doctor.stdout and "Everything works." in doctor.stdout, doctor.stdout
    # Nobody outside reaches the laptop, and it serves nothing there.
    probe = village.town.run("north", "bash", "-c", f"exec 3<>/dev/tcp/{router}/7701", check=False, timeout=10)
    assert probe.returncode != 0
    refused = village.town.run("laptop", PROGRAM, "join", "--home", home, "--serve", MODEL, check=False)
    assert refused.returncode == 1 and "has to be reached" in refused.stderr, refused.stderr
    village.town.run("laptop", PROGRAM, "leave", "--home", home)


def test_a_host_with_a_public_address_joins_relays_and_serves(village):
    address, home = village.town.host("west"), village.folder / "west"
    joined = village.town.run("west", PROGRAM, "join", village.invite.stdout.strip(), "--home", home, "--advertise", f"{address}:7701",
                              "--serve", MODEL, "--threads", 1, "--operator", "west \"wind\"")
    assert f"reach this machine at {address}:7701" in joined.stdout, joined.stdout
    seen = status(village, "west", home)
    assert "shows this node" in log(home, "user-1") and "shows this node" in log(home, "model-1")
    own = next(node for node in seen["model_nodes"] if node["name"] == "model-1")
    assert own["operator"] == "west \"wind\"", own
    doctor = village.town.run("west", PROGRAM, "doctor", "--home", home)
    assert "model-1 with" in doctor.stdout and "Everything works." in doctor.stdout, doctor.stdout
    village.town.run("west", PROGRAM, "leave", "--home", home)
