"""A network founded by hand, each node with a configuration of its own, as on several machines."""

import json
import shutil
import subprocess
import tempfile
import pathlib

import httpx

from network import MODEL, PROGRAM, free_port, question, run, wait_for, web


def test_a_network_by_hand():
    root = pathlib.Path(tempfile.mkdtemp(prefix="planetserve-test-"))
    processes = []

    def start(role, name, settings):
        folder = root / name
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(f"home: {folder}\ngenesis: {root}/genesis.json\n" + settings)
        with open(folder / "log", "w") as log:
            processes.append(subprocess.Popen([PROGRAM, role, "--config", folder / "config.yaml"], stdout=log, stderr=log))

    try:
        port, api = free_port(), free_port()
        identity = run("id", "--home", root / "verifier").stdout.strip()
        assert len(identity) == 64 and run("id", "--home", root / "verifier").stdout.strip() == identity
        validator = f"one={identity}@127.0.0.1:{port}"
        for wrong, word in [(["one=xyz@127.0.0.1:1"], "64 hexadecimal"), (["one"], "NAME=ID@HOST:PORT"), ([validator, validator], "validator")]:
            arguments = [part for text in wrong for part in ("--validator", text)]
            done = run("genesis", "--chain-id", "ours", *arguments, "--out", root / "genesis.json", check=False)
            assert done.returncode == 1 and word in done.stderr, done.stderr
        pool = root / "pool"
        pool.write_text("".join(json.dumps([{"role": "user", "content": f"Question {number}"}]) + "\n" for number in range(100)))
        run("genesis", "--chain-id", "ours", "--validator", validator, "--verify", "--prompt-pool", pool, "--out", root / "genesis.json")
        for line, word in [("", "name it as 'prompt_pool'"), (f"prompt_pool: {root}/other\n", "that of the genesis is")]:
            (root / "other").write_text(pool.read_text() + pool.read_text())
            (root / "refused.yaml").write_text(f"home: {root}/verifier\ngenesis: {root}/genesis.json\nlisten: '127.0.0.1:{port}'\n" + line)
            done = run("verifier", "--config", root / "refused.yaml", check=False)
            assert done.returncode == 1 and word in done.stderr, done.stderr
        again = run("genesis", "--chain-id", "ours", "--validator", validator, "--out", root / "genesis.json", check=False)
        assert again.returncode == 1 and "exists" in again.stderr
        assert json.loads((root / "genesis.json").read_text())["validators"][0]["public_key"] == identity

        start("verifier", "verifier", f"listen: '127.0.0.1:{port}'\nprompt_pool: {pool}\n")
        for number in range(5):
            start("user", f"user-{number}", "operator: " + f"someone-{number}\n")
        start("model", "model", f"models: [{{name: {MODEL}, catalogue: {MODEL}, slots: 1, context: 512, threads: 1}}]\n")
        start("user", "user", f"api: {{listen: '127.0.0.1:{api}', key: sesame}}\npaths: {{length: 1}}\n")
        url, key = f"http://127.0.0.1:{api}", {"authorization": "Bearer sesame"}

        def ready():
            assert all(process.poll() is None for process in processes), [(p.args, p.poll()) for p in processes]
            try:
                return web.get(url + "/health", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(ready, "the user to be ready", 60)
        assert web.post(url + "/v1/chat/completions", json=question("Hi")).status_code == 401
        reply = web.post(url + "/v1/chat/completions", json=question("Hi"), headers=key, timeout=60)
        assert reply.status_code == 200 and reply.json()["choices"][0]["message"]["content"], reply.text
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(15)
        shutil.rmtree(root, ignore_errors=True)
