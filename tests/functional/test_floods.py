"""Strangers who send as much as a home line carries, while others ask and are answered."""

import collections
import json
import os
import socket
import statistics
import threading
import time

import pytest

from network import MODEL, Network, question, wait_for, web

# Bytes a second: 20 Mbit/s, what a home line sends.
HOME_LINE = 20_000_000 // 8
REQUESTS = 40

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def network():
    with Network(users=16, models=2) as started:
        started.up()
        started.wait_ready()
        started.stranger = started.start_raw_user()
        wait_for(lambda: "status" in started.stranger.ask(question("Hello", max_tokens=2)), "the stranger to be answered", 60)
        yield started


def link_ports(network):
    """Where the nodes listen for links."""
    addresses = [node["address"] for node in network.status()["nodes"] if node["role"] in ("user", "model") and node.get("address")]
    assert addresses
    return [int(address.rsplit(":", 1)[1]) for address in addresses]


def ask_often(network):
    """Seconds until each answer; asserts that 99 of a hundred came."""
    took, failed = [], []
    for number in range(REQUESTS):
        begun = time.monotonic()
        reply = web.post(network.api + "/v1/chat/completions", json=question(f"Count from {number}.", max_tokens=4), timeout=180)
        if reply.status_code == 200:
            took.append(time.monotonic() - begun)
        else:
            failed.append(f"{reply.status_code} {reply.text}")
    assert len(failed) <= REQUESTS // 100, failed
    return took


def beside(network, flood):
    """Honest requests without and with that flood. Prints how long they took."""
    def p95(values):
        return statistics.quantiles(values, n=20)[-1]
    idle = ask_often(network)
    over, sent = threading.Event(), []
    thread = threading.Thread(target=lambda: sent.append(flood(over)))
    begun = time.monotonic()
    thread.start()
    flooded = ask_often(network)
    seconds = time.monotonic() - begun
    over.set()
    thread.join()
    assert sent and sent[0] > 0, "the flood itself failed"
    print(f"95th percentile {p95(idle):.3f} s idle, {p95(flooded):.3f} s flooded with {sent[0] * 8 / seconds / 1e6:.1f} Mbit/s: "
          f"{p95(flooded) / p95(idle):.2f} times")


def test_bytes_that_are_no_link(network):
    """Connections to every node that say nothing which a link says, or only half of it."""
    ports = link_ports(network)

    def flood(over):
        sent, turn, held = 0, 0, []
        begun = time.monotonic()
        while not over.is_set():
            turn += 1
            try:
                link = socket.create_connection(("127.0.0.1", ports[turn % len(ports)]), timeout=5)
                link.settimeout(1)
                link.sendall(os.urandom(65536))
                sent += 65536
                held = [*held[-200:], link]
            except OSError:
                pass  # refused or closed at once, as it should be
            time.sleep(max(0.0, sent / HOME_LINE - (time.monotonic() - begun)) + 0.001)
        for link in held:
            link.close()
        return sent
    beside(network, flood)


def test_requests_that_are_refused_as_fast_as_a_line_carries_them(network):
    """By the stranger's own paths: each opens an exchange with a model node, which has to read it all to refuse it."""
    process = network.stranger.node.process
    line = (json.dumps({"method": "POST", "path": "/v1/chat/completions", "model": MODEL,
                        "body": json.dumps(question("x " * 60_000))}) + "\n").encode()

    def flood(over):
        asked, statuses = 0, collections.Counter()
        all_asked = threading.Event()

        def read():
            while not (all_asked.is_set() and statuses.total() == asked):
                reply = process.stdout.readline()
                assert reply, network.stranger.node.log()
                statuses[json.loads(reply).get("status", "error")] += 1

        reader = threading.Thread(target=read)
        reader.start()
        begun = time.monotonic()
        while not over.is_set():
            process.stdin.write(line)
            process.stdin.flush()
            asked += 1
            time.sleep(max(0.01, asked * len(line) / HOME_LINE - (time.monotonic() - begun)))
        # Its reply wakes the reader, who may have read all others.
        asked += 1
        all_asked.set()
        process.stdin.write(line)
        process.stdin.flush()
        reader.join(180)
        assert not reader.is_alive(), f"of {asked} requests came back {statuses}"
        print(f"hostile requests: {dict(statuses)}")
        return asked * len(line)
    beside(network, flood)
