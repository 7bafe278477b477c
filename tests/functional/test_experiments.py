"""The experiments: all that need no servers from one command, and one that starts a network of its own."""

import json
import subprocess
import time

import pytest

from network import PROGRAM

EVAL = PROGRAM.with_name("planetserve_eval")


def listed():
    """name -> whether `all` runs it, from the table of `eval list`."""
    lines = subprocess.run([EVAL, "list"], capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()[1:]
    return {line.split()[0]: line.split()[2] == "yes" for line in lines}


@pytest.mark.timeout(620)
def test_all_of_them_within_ten_minutes(tmp_path):
    begun = time.monotonic()
    done = subprocess.run([EVAL, "all", "--quick", "--out", tmp_path], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    for name, alone in listed().items():
        skipped = f"{name}: skipped" in done.stdout
        assert skipped or alone, f"{name} needs servers, and was not skipped"
        if skipped:
            continue
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert summary["experiment"] == name
        assert summary["basis"] in ("analytic", "simulated", "measured")
        assert summary["quick"] is True and summary["seed"] == 1
        assert not any(isinstance(value, (dict, list)) for value in summary.values()), "a flat object"
        assert list((tmp_path / name).glob("*.csv"))
    assert time.monotonic() - begun < 600


@pytest.mark.timeout(320)
def test_real_nodes_at_a_distance_are_no_faster_than_distances_allow(tmp_path):
    done = subprocess.run([EVAL, "wide-area", "--live", "--quick", "--live-visits", "2", "--out", tmp_path], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["basis"] == "live"
    assert summary["live_first_token_new_count"] == summary["live_first_token_count"] == 2
    assert summary["live_setup_new_count"] > 0 and summary["live_over_own_round_trips_setup_new"] > 0.99
    assert summary["live_first_token_ms_p50"] > summary["engine_first_token_ms_p50"]


def test_wrong_options_are_named(tmp_path):
    def refused(*arguments):
        done = subprocess.run([EVAL, *arguments, "--out", tmp_path], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and not (tmp_path / "summary.json").exists()
        return done.stdout + done.stderr

    assert "--f: Value 1.5 not in range" in refused("anonymity", "--f", "0.1,1.5")
    assert "--k 5 is more than --n 4" in refused("confidentiality", "--k", "5")
    assert "no-such-file" in refused("clove-latency", "--trace", "no-such-file")
    assert 'no experiment "nonsense"' in refused("nonsense")


@pytest.mark.timeout(300)
def test_a_live_experiment_brings_its_own_network(tmp_path):
    done = subprocess.run([EVAL, "ablation", "--live", "--rate", "1", "--engines", "2", "--live-requests", "6", "--live-tools", "2", "--out", tmp_path],
                          capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    for arm in ("round_robin", "hr_tree_and_load", "ours"):
        assert summary[f"{arm}_requests"] == 6 and summary[f"{arm}_errors"] == 0, summary
    assert summary["ours_cached_share"] > 0, summary
