"""Committees of verification nodes: founded with a test's own parameters, looked at, killed and brought back."""

import json
import os
import pathlib
import signal
import subprocess
import time

import httpx

from chain import Rpc
from network import MODEL, PROGRAM, Network, Node, free_port, run, wait_for, web

COMETBFT = os.environ.get("PLANETSERVE_COMETBFT", "")
HOSTILE = PROGRAM.with_name("hostile_verifier")


def names():
    return [f"verifier-{number}" for number in range(1, 5)]


def verifier(network, name):
    return next(node for node in network.status()["nodes"] if node["name"] == name)


def states(network):
    return {name: verifier(network, name).get("committee") for name in names()}


def running(network, name):
    seen = verifier(network, name).get("committee")
    return isinstance(seen, dict) and seen["consensus"]["state"] == "running" and seen


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid), f"process {pid} to be gone", 5)


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for_agreement(network, above, seconds=30):
    """Until all four are at one height, above that one, with one hash."""
    def agreed():
        seen = [running(network, name) for name in names()]
        return all(seen) and len({(one["height"], one["app_hash"]) for one in seen}) == 1 and seen[0]["height"] > above and seen[0]
    return wait_for(agreed, lambda: f"four to agree above {above}: {states(network)}", seconds)


def wait_for_height(network, name, height, seconds=30):
    return wait_for(lambda: (seen := running(network, name)) and seen["proven_height"] > height and seen, f"{name} to be above {height}", seconds)


def short_epochs(**changed):
    """Phases of an epoch that are as short as a small model on two cores allows, in milliseconds."""
    return {"draw_ms": 2500, "leader_ms": 8000, "leaders": 2, "recheck_ms": 2500, "commit_ms": 4500, "reveal_ms": 2500,
            "epoch_ms": 29000, **changed}


class Committee(Network):
    """Verification nodes whose powers and parameters the test gives. They score by a copy of the small model, or not."""

    def __init__(self, parameters, powers=(1, 1, 1, 1), users=6, models=1, score=True):
        super().__init__(users=users, models=models, verifiers=len(powers))
        self.powers = {f"verifier-{number}": power for number, power in enumerate(powers, 1)}
        self.parameters = parameters
        self.score = score
        self.ids = {}

    def home_of(self, name):
        return self.home / "nodes" / name

    def found(self, led_by=None, epochs=0, ahead_seconds=0.0):
        """Keys, genesis and configurations. With led_by, that node draws the lead in each of the first epochs."""
        validators = []
        for name, power in self.powers.items():
            self.ids[name] = run("id", "--home", self.home_of(name)).stdout.strip()
            address, consensus = (f"127.0.0.1:{free_port()}" for _ in range(2))
            validators.append({"name": name, "public_key": self.ids[name], "power": power, "address": address, "consensus_address": consensus})
            (self.home_of(name) / "config.yaml").write_text(
                f"home: {self.home_of(name)}\ngenesis: {self.home}/genesis.json\nlisten: '{address}'\nstatus: {{listen: '127.0.0.1:0'}}\n"
                + (f"models: [{{name: {MODEL}, catalogue: {MODEL}, context: 2048, threads: 1}}]\n" if self.score else ""))
        genesis = {"chain_id": "test", "genesis_time_ms": int((time.time() + ahead_seconds) * 1000), "validators": validators,
                   "parameters": {"verification": self.parameters}}
        (self.home / "genesis.json").write_text(json.dumps(genesis))
        if led_by:
            keys = [self.home_of(name) / "keys" for name in sorted(self.powers, key=lambda name: name != led_by)]
            done = subprocess.run([HOSTILE, "--found", self.home / "genesis.json", str(epochs), *keys], capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr

    def start_hostile(self, name):
        """The dishonest node in the place of that one, which does not run."""
        log = open(self.home_of(name) / "log", "a")
        process = subprocess.Popen([HOSTILE, self.home_of(name) / "config.yaml"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        node = Node(process, self.home_of(name), None)
        self.extra.append(node)
        wait_for(lambda: node.running() and (node.folder / "run.json").exists(), lambda: f"{name} to start: {node.log()}", 20)
        return node

    def run_file(self, name):
        return json.loads((self.home_of(name) / "run.json").read_text())

    def look(self, name):
        """What a verification node's own endpoint says; nothing while it does not answer."""
        try:
            return web.get(self.run_file(name)["api"] + "/planetserve/status", timeout=10).json()
        except (OSError, ValueError, httpx.HTTPError):
            return {}

    def verification(self, name):
        return self.look(name).get("verification") or {}

    def rpc(self, name):
        return Rpc(self.home_of(name))

    def kill_pair(self, name):
        """The node and its CometBFT, neither in good order."""
        engine = self.look(name).get("consensus", {}).get("pid")
        pid = self.run_file(name)["pid"]
        os.kill(pid, signal.SIGKILL)
        if engine:
            try:
                os.kill(engine, signal.SIGKILL)
            except ProcessLookupError:
                pass  # the kernel was faster
        wait_for(lambda: not alive(pid) and not (engine and alive(engine)), f"{name} to be gone", 10)

    def bring_back(self, name):
        """The process alone; `up` would wait for all the rest too."""
        log = open(self.home_of(name) / "log", "a")
        subprocess.Popen([PROGRAM, "verifier", "--config", self.home_of(name) / "config.yaml"], stdout=log, stderr=log,
                         stdin=subprocess.DEVNULL, start_new_session=True)
