"""The command line, as a person uses it."""

import pathlib
import subprocess
import time

from network import MODEL, PROGRAM, Network, run, wait_for


def test_status(network):
    # A path that came up before all users were listed may share a relay with another; it is replaced soon.
    wait_for(lambda: not any(path["shares_relays"] for path in network.status()["paths"]), "paths that share no relay", 90)
    status = network.status()
    assert status["api"] == network.api + "/v1"
    roles = [node["role"] for node in status["nodes"]]
    assert (roles.count("verifier"), roles.count("user"), roles.count("model")) == (1, 16, 3)
    assert all(node["state"] == "running" and node["pid"] and node["address"] and len(node["id"]) == 64 for node in status["nodes"])
    assert status["api_node"] in [node["id"] for node in status["nodes"] if node["role"] == "user"]
    assert MODEL in status["models"]
    paths = [path for path in status["paths"] if path["state"] == "up"]
    assert len(paths) >= 4
    relays = [relay for path in paths for relay in path["relays"]]
    assert len(relays) == len(set(relays)) and status["api_node"] not in relays
    text = run("status", "--home", network.home).stdout
    assert "ready" in text and "user-16" in text
    assert "model-1 (" in text and "not verified" in text and "reputation" not in text
    assert {"model-1", "model-2", "model-3"} <= {node["name"] for node in status["model_nodes"]}
    assert all(node["reputation"] is None for node in status["model_nodes"])


def test_a_model_node_says_that_it_is_registered(network):
    log = lambda: (network.home / "nodes" / "model-1" / "log").read_text()
    wait_for(lambda: "shows this node" in log(), "its own list to show it", 20)
    assert "status endpoint on http://127.0.0.1:" in log() and "API on" not in log()
    assert "registered: the directory accepted this node" in log()


def test_needs(network):
    needs = lambda *arguments: run("needs", *arguments).stdout.split()
    assert needs("up", "--home", network.home) == ["program", "engine", "models"]
    assert needs("up", "--home", network.home, "--verifiers", 4)[-1] == "cometbft"
    assert needs("status") == needs("down") == needs("up", "--help") == needs("frobnicate") == []


def test_doctor(network):
    done = run("doctor", "--home", network.home)
    assert "Everything works." in done.stdout


def test_chat(network):
    done = run("chat", "--home", network.home, "--max-tokens", 12, "Say hello.")
    assert "answered by model node" in done.stdout and done.stdout.count("you >") == 4


def test_a_second_up_is_quick_and_changes_nothing(network):
    before = [node["pid"] for node in network.status()["nodes"]]
    begun = time.monotonic()
    assert "The network is up." in network.up().stdout
    assert time.monotonic() - begun < 10
    assert [node["pid"] for node in network.status()["nodes"]] == before


def test_down_leaves_nothing():
    other = Network(users=4, models=1)
    try:
        other.up()
        assert other.complete("hello", max_tokens=4)
        pids = [node["pid"] for node in other.status()["nodes"]]
        run("down", "--home", other.home)
        left = subprocess.run(["pgrep", "-f", str(other.home)], capture_output=True, text=True).stdout.split()
        assert left == [], "processes left behind"
        assert not any(pathlib.Path(f"/proc/{pid}").exists() and str(other.home) in pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)
        assert run("status", "--home", other.home).returncode == 0
        assert run("doctor", "--home", other.home, check=False).returncode == 1
    finally:
        other.close()


def test_a_killed_model_node_leaves_no_engine():
    other = Network(users=4, models=1)
    try:
        other.up()
        model = next(node for node in other.status()["nodes"] if node["role"] == "model")
        other.kill(model["id"])
        wait_for(lambda: not subprocess.run(["pgrep", "-f", f"llama-server.*{other.home}"], capture_output=True).stdout,
                 "the engine to go with its node", 10)
    finally:
        other.close()


def test_wrong_use_is_told(network, tmp_path):
    done = run("frobnicate", check=False)
    assert done.returncode == 2 and done.stderr + done.stdout
    assert run("--version").stdout.startswith("planetserve ") and "(commit " in run("--version").stdout
    assert "there is no network" in run("status", "--home", tmp_path / "none", check=False).stderr
    assert "port" in run("up", "--home", tmp_path / "busy", "--port", network.port, check=False).stderr

    def config(text):
        file = tmp_path / "config.yaml"
        file.write_text(f"home: {tmp_path}/node\ngenesis: {network.home}/genesis.json\n" + text)
        return file

    for role, text, word in [("user", "pahts: {count: 4}\n", "unknown key 'pahts'"), ("user", "paths: {n: 4, k: 5}\n", "paths.k"),
                             ("user", "api: {listen: '0.0.0.0:0'}\n", "only with a key"), ("model", "models: []\n", "at least one model"),
                             ("model", "models: [{name: m, url: 'http://127.0.0.1:1/x'}]\n", "sha256"),
                             ("model", f"models: [{{name: m, file: {PROGRAM}, sha256: '{'0' * 64}'}}]\n", "SHA-256"),
                             ("verifier", "", "only validator")]:
        done = run(role, "--config", config(text), check=False, timeout=20)
        assert done.returncode != 0 and word in done.stderr, (role, text, done.stderr)
