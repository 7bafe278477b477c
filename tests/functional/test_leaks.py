"""What every relay and proxy receives and sends, searched for what it must not know."""

import json
import struct


from network import Network, question, wait_for, web

CELL, SETUP = 17, 16
SECRET = "The password of the lighthouse is marmalade-4711. "


def read_records(file):
    data, at, records = file.read_bytes(), 0, []
    while at + 38 <= len(data):
        direction, peer, kind = data[at : at + 1], data[at + 1 : at + 33], data[at + 33]
        (size,) = struct.unpack(">I", data[at + 34 : at + 38])
        records.append((direction, peer, kind, data[at + 38 : at + 38 + size]))
        at += 38 + size
    return records


def test_no_relay_or_proxy_can_read_or_link():
    network = Network(users=13, models=1)
    try:
        network.up()
        files = {}
        for number in range(14):
            file = network.home / f"record-{number}"
            lab = network.start_lab("honest", file)
            files[lab.id] = file
        # Only recording relays stay, and the user comes new among them.
        for node in network.status()["nodes"]:
            if node["role"] == "user":
                network.kill(node["id"], 15)
        user = network.start_user()

        def only_recorders():
            paths = user.paths()
            return len(paths) >= 4 and all(relay in files for path in paths for relay in path["relays"]) and paths

        wait_for(only_recorders, "paths over recording relays alone", 90)
        reply = web.post(user.api + "/v1/chat/completions", timeout=200, json=question(SECRET * 30, 3, 100, ignore_eos=True))
        assert reply.status_code == 200, reply.text
        answer = reply.json()["choices"][0]["message"]["content"]
        assert len(answer) > 100
        user_id = bytes.fromhex(user.id)
        address = json.loads((user.folder / "run.json").read_text())["address"].encode()
        cells = 0
        words = [SECRET.encode()[:20], b"marmalade", b"messages", b"max_tokens", b"chat/completions", user_id, user_id.hex().encode(), address]
        words += [answer.encode()[at : at + 12] for at in range(0, len(answer.encode()) - 12, 12)]
        for relay, file in files.items():
            records = read_records(file)
            for direction, peer, kind, payload in records:
                for word in words:
                    assert word not in payload, (relay, kind, word)
            received = [record for record in records if record[0] == b"<" and record[2] in (CELL, SETUP)]
            sent = [record for record in records if record[0] == b">" and record[2] in (CELL, SETUP)]
            cells += len(received)
            # Blocks of 16 bytes at multiples of 16 on one side, and at every place on the other: an equal run of 31
            # bytes is found wherever it stands.
            blocks = {payload[at : at + 16] for _, _, _, payload in received for at in range(0, len(payload) - 15, 16)}
            for _, peer, kind, payload in sent:
                for at in range(len(payload) - 15):
                    assert payload[at : at + 16] not in blocks, (relay, kind, at)
        assert cells > 200, "something was recorded"
    finally:
        network.close()
