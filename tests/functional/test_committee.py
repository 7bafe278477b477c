"""Four verification nodes agree by CometBFT while one of them dies."""

import json
import os
import shutil
import signal
import time

import pytest

from chain import Rpc
from committee import COMETBFT, alive, kill, names, running, states, verifier, wait_for_agreement, wait_for_height
from network import Network, free_port, run, wait_for

pytestmark = pytest.mark.skipif(not os.access(COMETBFT, os.X_OK), reason="PLANETSERVE_COMETBFT names no program")


@pytest.fixture(scope="module")
def committee():
    with Network(users=6, models=1, verifiers=4) as network:
        network.up()
        wait_for(lambda: all(running(network, name) for name in names()), f"four to take part: {states(network)}", 30)
        yield network


def registers(network, seconds=30):
    """A newcomer is taken by the committee, and its list is there: it has seen the others."""
    node = network.start_user(settings="paths: {length: 1}\n")
    wait_for(node.healthy, f"a newcomer to have paths: {node.log()}", seconds)
    wait_for(lambda: node.status()["directory"]["registered"], "the newcomer to be registered", seconds)
    assert node.stop() == 0


def test_a_network_with_a_committee_works(committee):
    assert committee.complete("Say hello.", max_tokens=4)
    wait_for_agreement(committee, 0)
    genesis = json.loads((committee.home / "genesis.json").read_text())
    assert len({validator["consensus_address"] for validator in genesis["validators"]}) == 4
    chains = {(committee.home / "nodes" / name / "consensus/config/genesis.json").read_text() for name in names()}
    assert len(chains) == 1, "all derive the same"
    for name in names():
        folder = committee.home / "nodes" / name / "consensus"
        for key in ("config/priv_validator_key.json", "config/node_key.json", "data/priv_validator_state.json"):
            assert (folder / key).stat().st_mode & 0o077 == 0, key
    text = run("status", "--home", committee.home).stdout
    assert text.count("consensus running") == 4, text
    assert "4 of 4 verification nodes take part" in run("doctor", "--home", committee.home, check=False).stdout


def test_one_of_four_dies_and_comes_back(committee):
    victim = verifier(committee, "verifier-2")
    pid, engine = victim["pid"], victim["committee"]["consensus"]["pid"]
    before = wait_for_agreement(committee, 0)["height"]
    os.kill(engine, signal.SIGSTOP)  # so that it cannot end in good order
    kill(pid)
    wait_for(lambda: not alive(engine), "CometBFT to be gone with its node", 5)
    # The others go on: requests are answered, a newcomer is listed, blocks are made.
    assert committee.complete("Say hello again.", max_tokens=4)
    registers(committee, 60)
    height = wait_for_height(committee, "verifier-1", before)["height"]
    doctor = run("doctor", "--home", committee.home, check=False)
    assert doctor.returncode == 1 and "verifier-2 does not run" in doctor.stdout and "3 of 4 verification nodes" in doctor.stdout
    committee.up()
    agreed = wait_for_agreement(committee, height, 60)
    assert verifier(committee, "verifier-2")["id"] == victim["id"]
    assert agreed["height"] > before


def test_a_lost_engine_brings_the_pair_back(committee):
    before = verifier(committee, "verifier-3")
    height = wait_for_agreement(committee, 0)["height"]
    votes = committee.home / "nodes/verifier-3/consensus/data/priv_validator_state.json"
    voted = int(json.loads(votes.read_text())["height"])
    kill(before["committee"]["consensus"]["pid"])
    after = wait_for(lambda: (seen := running(committee, "verifier-3")) and seen["consensus"]["starts"] == 2 and seen,
                     "CometBFT to run again", 30)
    assert after["consensus"]["pid"] != before["committee"]["consensus"]["pid"]
    assert verifier(committee, "verifier-3")["pid"] == before["pid"], "the node itself stayed"
    wait_for_agreement(committee, height)
    assert int(json.loads(votes.read_text())["height"]) >= voted, "what was voted for is not forgotten"
    assert committee.complete("And once more.", max_tokens=4)


def test_a_store_that_lost_blocks_is_brought_up_by_replay(committee):
    """Where the registry is lost, the blocks are there still: all of them are applied again, to the same hash."""
    node = verifier(committee, "verifier-4")
    height = wait_for_agreement(committee, 0)["height"]
    os.kill(node["pid"], signal.SIGTERM)
    wait_for(lambda: not alive(node["pid"]), "the node to end", 15)
    assert not alive(node["committee"]["consensus"]["pid"])
    for file in (committee.home / "nodes/verifier-4").glob("registry.sqlite*"):
        file.unlink()
    committee.up()
    wait_for_agreement(committee, height, 60)


def rpc(network, name, method, **parameters):
    with Rpc(network.home / "nodes" / name) as engine:
        return engine.ask(method, **parameters)


def test_a_validator_that_lost_all_but_its_votes_begins_with_a_snapshot(committee):
    height = wait_for_agreement(committee, 0)["height"]
    node = verifier(committee, "verifier-4")
    os.kill(node["pid"], signal.SIGTERM)
    wait_for(lambda: not alive(node["pid"]), "the node to end", 15)
    folder = committee.home / "nodes/verifier-4"
    for file in folder.glob("registry.sqlite*"):
        file.unlink()
    for item in (folder / "consensus/data").iterdir():
        if item.name != "priv_validator_state.json":
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    trusted = rpc(committee, "verifier-1", "commit", height=height)["signed_header"]["commit"]
    config = folder / "config.yaml"
    kept = config.read_text()
    servers = [f"unix://{committee.home}/nodes/verifier-{number}/consensus/rpc.sock" for number in (1, 2)]
    config.write_text(kept + "consensus:\n  state_sync: " + json.dumps(
        {"servers": servers, "height": height, "hash": trusted["block_id"]["hash"]}) + "\n")
    committee.up()
    wait_for_agreement(committee, height, 90)
    assert int(rpc(committee, "verifier-4", "status")["sync_info"]["earliest_block_height"]) > 1, "it did not repeat the blocks"
    config.write_text(kept)


def test_two_of_four_are_too_few_until_one_returns(committee):
    wait_for_agreement(committee, 0)
    for name in ("verifier-1", "verifier-4"):
        kill(verifier(committee, name)["pid"])
    time.sleep(1)
    halted = running(committee, "verifier-2")["height"]
    assert committee.complete("Requests go on.", max_tokens=4)
    doctor = run("doctor", "--home", committee.home, check=False).stdout
    assert "only 2 of 4 verification nodes take part" in doctor, doctor
    assert running(committee, "verifier-2")["height"] <= halted + 1
    committee.up()
    wait_for_agreement(committee, halted, 60)
    registers(committee, 60)


def test_what_is_missing_or_forgotten_is_said(committee, tmp_path):
    env = {"PLANETSERVE_COMETBFT": str(tmp_path / "none")}
    done = run("up", "--home", tmp_path / "net", "--verifiers", 4, "--users", 12, "--models", 1, "--port", free_port(), check=False, env=env)
    run("down", "--home", tmp_path / "net", check=False)
    assert done.returncode == 1 and "needs CometBFT" in done.stderr and "PLANETSERVE_COMETBFT" in done.stderr, done.stderr
    other = run("up", "--home", committee.home, "--verifiers", 3, check=False)
    assert other.returncode == 1 and "names 4" in other.stderr
    # A validator that forgot what it voted for does not start.
    node = verifier(committee, "verifier-1")
    os.kill(node["pid"], signal.SIGTERM)
    wait_for(lambda: not alive(node["pid"]), "the node to end", 15)
    state = committee.home / "nodes/verifier-1/consensus/data/priv_validator_state.json"
    kept = state.read_text()
    state.unlink()
    refused = run("verifier", "--config", committee.home / "nodes/verifier-1/config.yaml", check=False)
    assert refused.returncode == 1 and "vote twice" in refused.stderr, refused.stderr
    assert not state.exists()
    state.write_text(kept)
    state.chmod(0o600)
    committee.up()
    wait_for_agreement(committee, 0, 60)


def test_down_ends_both_of_each_pair(committee):
    pids = [node["committee"]["consensus"]["pid"] for node in committee.status()["nodes"] if node["role"] == "verifier"]
    assert len(pids) == 4 and all(alive(pid) for pid in pids)
    done = run("down", "--home", committee.home)
    assert "killed" not in done.stdout, done.stdout
    assert not any(alive(pid) for pid in pids)
