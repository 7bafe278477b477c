"""A committee's chain as CometBFT's RPC tells it, and what its votes should have made of each reputation.

This is written from docs/protocols/verification.md and shares no code with the program, so that an update that is lost
or counted twice shows.
"""

import base64
import hashlib

import httpx

MILLION = 1_000_000


class Rpc:
    """Asks a node's CometBFT over its unix socket."""

    def __init__(self, node_home):
        self._client = httpx.Client(transport=httpx.HTTPTransport(uds=str(node_home / "consensus/rpc.sock"), verify=False), timeout=20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def ask(self, method, **parameters):
        answer = self._client.get(f"http://engine/{method}", params=parameters).json()
        assert "result" in answer, answer
        return answer["result"]

    def height(self):
        return int(self.ask("status")["sync_info"]["latest_block_height"])


def fields(message):
    """A protobuf message as a dictionary: number of a field -> its values, integers or bytes, in order."""
    out, at = {}, 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        else:
            assert tag & 7 == 2, "a field of another kind"
            size = varint()
            value, at = message[at:at + size], at + size
        out.setdefault(tag >> 3, []).append(value)
    return out


def one(message, number, default=b""):
    return message.get(number, [default])[0]


class Word:
    """A verifier's transaction. Blocks hold only those that could be applied, or that contradict one before."""

    kinds = {4: "draw", 5: "report", 6: "recheck", 7: "commit", 8: "reveal"}

    def __init__(self, signed):
        said = fields(one(fields(signed), 1))
        self.network, self.sender, self.epoch = one(said, 1), one(said, 2).hex(), one(said, 3, 0)
        number = next(number for number in self.kinds if number in said)
        self.kind, self.bytes = self.kinds[number], said[number][0]
        self.body = fields(self.bytes)


def words(rpc, last):
    """All that verifiers said in the blocks up to that one."""
    for height in range(1, last + 1):
        for encoded in rpc.ask("block", height=height)["block"]["data"]["txs"] or []:
            transaction = fields(one(fields(base64.b64decode(encoded)), 1))
            if 7 in transaction:
                yield Word(transaction[7][0])


class Epoch:
    def __init__(self):
        self.drawn, self.leader, self.report, self.recheck, self.transcript = set(), None, None, None, b""
        self.commits, self.votes, self.liars = {}, {}, set()
        self._said = {}

    def take(self, word):
        if word.sender in self.liars:
            return
        before = self._said.setdefault((word.sender, word.kind), word.bytes)
        if before != word.bytes or word.kind == "reveal" and self.commits[word.sender] != self.commitment(word):
            return self.void(word)
        if word.kind == "draw":
            self.drawn.add(word.sender)
        elif word.kind == "report":
            self.leader, self.transcript = word.sender, one(word.body, 2)
            self.report = {node.hex() for node in word.body.get(3, [])}
        elif word.kind == "recheck":
            self.recheck = {node.hex() for node in word.body.get(1, [])}
        elif word.kind == "commit":
            self.commits[word.sender] = one(word.body, 1)
        elif word.kind == "reveal":
            self.votes[word.sender] = self.scores(word)

    def scores(self, word):
        scores = [fields(score) for score in word.body.get(2, [])]
        return {one(score, 1).hex(): (one(score, 2, 0), one(score, 3, 0)) for score in scores}

    def commitment(self, word):
        text = b"planetserve scores v1\0" + word.network + word.epoch.to_bytes(8, "big") + bytes.fromhex(word.sender)
        text += self.transcript + one(word.body, 1)
        for node, (outcome, credit) in self.scores(word).items():
            text += bytes.fromhex(node) + bytes([outcome]) + credit.to_bytes(4, "big")
        return hashlib.sha256(text).digest()

    def void(self, word):
        """It said two different things."""
        self.liars.add(word.sender)
        self.commits.pop(word.sender, None)
        self.votes.pop(word.sender, None)
        if word.kind == "report":
            self.leader = self.report = None
        if word.kind == "recheck":
            self.recheck = None

    def credits(self, powers):
        """Of nodes on which verifiers with more than 2/3 of the power voted: the median."""
        silent = (self.report or set()) & (self.recheck or set())
        by_node = {}
        for verifier, scores in self.votes.items():
            for node, (outcome, credit) in scores.items():
                if outcome == 0 or (outcome == 1 and node in silent):
                    by_node.setdefault(node, []).append((credit, powers[verifier]))
        settled = {}
        for node, votes in by_node.items():
            weight = sum(power for _, power in votes)
            if 3 * weight <= 2 * sum(powers.values()):
                continue
            below = 0
            for credit, power in sorted(votes):
                below += power
                if 2 * below >= weight:
                    settled[node] = credit
                    break
        return settled


def rounded(numerator, denominator):
    """Half upwards."""
    return (2 * numerator + denominator) // (2 * denominator)


class Standing:
    def __init__(self, parameters):
        self.reputation, self.abnormal, self.scores, self.last_epoch = parameters["initial"], [], 0, None

    def move(self, credit, epoch, parameters):
        window, gamma = parameters["window"], parameters["gamma"]
        self.abnormal = [credit < parameters["tau"], *self.abnormal][:window]
        count = sum(self.abnormal)
        earned = rounded(parameters["beta"] * credit, MILLION)
        if count * MILLION >= gamma * window:
            earned = min(earned, rounded((window + 1) * gamma * credit, (window + 2) * gamma + count * MILLION))
        self.reputation = min(MILLION, rounded(parameters["alpha"] * self.reputation, MILLION) + earned)
        self.scores += 1
        self.last_epoch = epoch


def epochs(rpc, last):
    found = {}
    for word in words(rpc, last):
        found.setdefault(word.epoch, Epoch()).take(word)
    return found


def reputations(found, before, powers, parameters):
    """What the votes of the epochs below that one should have made of each node."""
    standings = {}
    for number in sorted(number for number in found if number < before):
        if found[number].report is None:
            continue
        for node, credit in found[number].credits(powers).items():
            standings.setdefault(node, Standing(parameters)).move(credit, number, parameters)
    return standings
