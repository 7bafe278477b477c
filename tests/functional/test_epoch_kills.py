"""A verification node dies in every phase of an epoch, and comes back: no reputation is moved twice, none fails to move."""

import base64
import os

import pytest

from chain import MILLION, epochs, reputations
from committee import COMETBFT, Committee, names, running, short_epochs, wait_for_agreement
from network import run, wait_for

pytestmark = [pytest.mark.skipif(not os.access(COMETBFT, os.X_OK), reason="PLANETSERVE_COMETBFT names no program"), pytest.mark.timeout(1500)]

PARAMETERS = {"alpha": 400_000, "beta": 600_000, "gamma": 200_000, "window": 5, "tau": 400_000, "initial": 500_000}


@pytest.fixture(scope="module")
def committee():
    # Leaders have twice the usual time: another network's engines may run beside.
    with Committee(short_epochs(challenges_per_node=3, leader_ms=16000, epoch_ms=45000)) as network:
        network.found()
        network.up()
        yield network


def at(network, phase, after):
    """Waits for a phase of an epoch later than that one; what a verification node says of it."""
    def reached():
        for name in names():
            seen = network.verification(name)
            if seen and seen["phase"] == phase and seen["epoch"] > after and len(seen["order"]) >= (0 if phase == "draw" else 3):
                return seen
        return None
    return wait_for(reached, lambda: f"phase {phase} after epoch {after}: {[network.verification(name) for name in names()]}", 300)


def name_of(network, identity):
    return next(name for name, known in network.ids.items() if known == identity)


def victim(network, phase, seen):
    """In its phase the one that has the most to do there."""
    if phase == "challenge":
        return name_of(network, seen["order"][0])
    if phase == "recheck":
        return name_of(network, seen["order"][1])
    return {"draw": "verifier-1", "commit": "verifier-2", "reveal": "verifier-3", "idle": "verifier-4"}[phase]


def standings(seen):
    return {one["node"]: (round(one["reputation"] * MILLION), one["scores"], one["last_epoch"]) for one in seen["standings"]}


def test_killed_in_every_phase_it_comes_back_and_nothing_is_lost_or_counted_twice(committee):
    wait_for(lambda: all(running(committee, name) for name in names()), "four to take part", 60)
    # One epoch without any, so that each node has loaded its models.
    wait_for(lambda: any(one["scores"] for one in committee.verification("verifier-1").get("standings", [])), "a first score", 400)
    epoch, killed = committee.verification("verifier-1")["epoch"], []
    for phase in ("draw", "challenge", "recheck", "commit", "reveal", "idle"):
        seen = at(committee, phase, epoch)
        epoch, name = seen["epoch"], victim(committee, phase, seen)
        committee.kill_pair(name)
        committee.bring_back(name)
        killed.append((epoch, phase, name))
        wait_for(lambda: running(committee, name),
                 lambda: f"{name}, killed in phase {phase}, to take part again: {(committee.home_of(name) / 'log').read_text()[-4000:]}", 60)
    print("killed:", killed)
    last_killed = epoch
    # The votes of the last such epoch are settled, and three times at least there were enough of them.
    wait_for(lambda: committee.verification("verifier-1").get("epoch", 0) > last_killed, "the last epoch to end", 120)
    wait_for(lambda: any(one["scores"] >= 4 for one in committee.verification("verifier-1").get("standings", [])), "four scores", 700)
    wait_for_agreement(committee, 0, 60)

    check_hashes(committee)
    check_reputations(committee)
    check_audit(committee)


def check_hashes(network):
    """All blocks state the same everywhere, and each application is where its engine is."""
    engines = {name: network.rpc(name) for name in names()}
    height = min(engine.height() for engine in engines.values())
    for at_height in {1, height // 2, height - 1, height}:
        headers = [engine.ask("commit", height=at_height)["signed_header"]["header"] for engine in engines.values()]
        assert all(header == headers[0] for header in headers), at_height
    for name, engine in engines.items():
        def same():
            info = engine.ask("abci_info")["response"]
            known = int(info["last_block_height"])
            if known >= engine.height():
                return None
            # The state after a block is in the next one's header.
            stated = engine.ask("commit", height=known + 1)["signed_header"]["header"]["app_hash"]
            return stated.lower() == b64_hex(info["last_block_app_hash"]) or pytest.fail(f"{name} has another state after block {known}")
        wait_for(same, f"{name}'s application to be compared", 60)


def b64_hex(text):
    return base64.b64decode(text).hex()


def check_reputations(network):
    powers = {network.ids[name]: power for name, power in network.powers.items()}

    def compared(name):
        with network.rpc(name) as engine:
            found = epochs(engine, engine.height())
        seen, current = network.verification(name), max(found)
        assert not any(epoch.liars for epoch in found.values()), "nobody said two different things"
        if seen.get("epoch") != current or any(one["last_epoch"] >= current for one in seen["standings"]):
            return False  # another epoch has begun meanwhile, or this one is settled
        seen, expected = standings(seen), reputations(found, current, powers, PARAMETERS)
        assert expected, "nothing was settled"
        for node, standing in expected.items():
            assert seen[node] == (standing.reputation, standing.scores, standing.last_epoch), (name, found)
            assert standing.reputation >= 400_000, "an honest node"
        return True

    for name in names():
        wait_for(lambda: compared(name), f"{name} to be compared while an epoch runs", 60)


def check_audit(network):
    told = run("audit", "--home", network.home, timeout=300).stdout
    assert "lead from the genesis to" in told, told
    assert "two different things" not in told and "flagged" not in told, told
    moves = [line for line in told.splitlines() if "votes:" in line]
    epochs_moved = [line.split("epoch ")[1].split(",")[0] for line in moves]
    assert len(moves) >= 4 and len(set(epochs_moved)) == len(moves), told
    # Each begins where the one before ended.
    steps = [line.split("  ")[2].split(" -> ") for line in moves]
    assert [before for before, _ in steps[1:]] == [after for _, after in steps[:-1]], told
