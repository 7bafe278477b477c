"""A network of real processes, driven through the command line and the API alone."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("PLANETSERVE_BINARY", ROOT / "build/release/bin/planetserve"))
LAB = PROGRAM.with_name("planetserve_lab")
MODEL = "smollm2-135m-instruct"
OTHER_MODEL = "smollm2-135m-instruct-q8_0"

# For plain HTTP on this machine. httpx.get() and its like read all certificates anew: 55 ms of a processor for each call.
web = httpx.Client(verify=False, trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))


def free_port():
    """Below those that the kernel gives away itself, so that no other node takes it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(condition, what, seconds=30.0):
    """The condition's first true value; fails with what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")


def run(*arguments, timeout=120, check=True, env=None):
    done = subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, "NO_COLOR": "1", **(env or {})}, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise AssertionError(f"planetserve {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Network:
    def __init__(self, users=16, models=3, verifiers=1):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="planetserve-test-"))
        self.port = free_port()
        self.users, self.models, self.verifiers = users, models, verifiers
        self.extra = []  # nodes started by hand

    def up(self, *more):
        """Nobody challenges anybody unless `more` says so: that would be work on the side of what a test looks at. Two tests and
        the builds share the processor, so an engine has one thread."""
        verify = [] if "--verify" in more else ["--no-verify"]
        return run("up", "--home", self.home, "--users", self.users, "--models", self.models, "--verifiers", self.verifiers,
                   "--port", self.port, "--threads", 1, *verify, *more, timeout=180)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Tells what the nodes said where something failed."""
        if kind is not None:
            print(self.logs())
        self.close()

    def close(self):
        for node in self.extra:
            node.stop(signal.SIGKILL)
        run("down", "--home", self.home, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def start_user(self, *command, api=True, settings=""):
        """Another user node, run as its operator would: by a configuration file and the network's genesis."""
        folder = self.home / f"own-{len(self.extra)}"
        folder.mkdir()
        port = free_port()
        (folder / "config.yaml").write_text(f"home: {folder}\ngenesis: {self.home}/genesis.json\nlisten: '127.0.0.1:0'\n"
                                            + (f"api: {{listen: '127.0.0.1:{port}'}}\n" if api else "") + settings)
        return self._start(folder, command or (PROGRAM, "user", "--config"), f"http://127.0.0.1:{port}")

    def start_model(self, models, settings="", env=None):
        folder = self.home / f"own-{len(self.extra)}"
        folder.mkdir()
        port = free_port()
        (folder / "config.yaml").write_text(f"home: {folder}\ngenesis: {self.home}/genesis.json\nmodels: {models}\n"
                                            f"status: {{listen: '127.0.0.1:{port}'}}\n" + settings)
        return self._start(folder, (PROGRAM, "model", "--config"), f"http://127.0.0.1:{port}", env=env)

    def start_coarser(self):
        """A model node that serves fewer bits than the model it names has, and saves the memory."""
        whole = next(pathlib.Path(os.environ["PLANETSERVE_MODELS"]).glob("*Q8_0.gguf"))
        small = self.home / "small.gguf"
        quantize = pathlib.Path(os.environ["PLANETSERVE_ENGINE"]) / "bin/llama-quantize"
        subprocess.run([quantize, "--allow-requantize", whole, small, "Q2_K", "1"], check=True, capture_output=True, timeout=120)
        return self.start_model(f"[{{name: {OTHER_MODEL}, file: {small}, slots: 2, context: 2048, threads: 1}}]")

    def start_lab(self, mode="honest", record=""):
        """A relay that does what the mode says, and records what it sees."""
        folder = self.home / f"own-{len(self.extra)}"
        folder.mkdir()
        (folder / "config.yaml").write_text(f"home: {folder}\ngenesis: {self.home}/genesis.json\n")
        return self._start(folder, (LAB, ), None, mode, record)

    def start_raw_user(self):
        """A user that asks model nodes for anything: its requests are checked by nobody on their way."""
        folder = self.home / f"own-{len(self.extra)}"
        folder.mkdir()
        (folder / "config.yaml").write_text(f"home: {folder}\ngenesis: {self.home}/genesis.json\n")
        node = self._start(folder, (LAB, ), None, "ask", pipe=True)
        return RawUser(node)

    def _start(self, folder, command, api, *arguments, env=None, pipe=False):
        log = open(folder / "log", "w")
        process = subprocess.Popen([*map(str, command), str(folder / "config.yaml"), *map(str, arguments)],
                                   stdout=subprocess.PIPE if pipe else log, stderr=log,
                                   stdin=subprocess.PIPE if pipe else subprocess.DEVNULL, env={**os.environ, **(env or {})})
        node = Node(process, folder, api)
        self.extra.append(node)
        wait_for(lambda: node.running() and (folder / "run.json").exists(), f"{folder.name} to start: {node.log()}", 20)
        return node

    @property
    def api(self):
        return f"http://127.0.0.1:{self.port}"

    def status(self):
        return json.loads(run("status", "--home", self.home, "--json").stdout)

    def node(self, identity):
        return next(node for node in self.status()["nodes"] if node["id"] == identity)

    def kill(self, identity, sign=signal.SIGKILL):
        os.kill(self.node(identity)["pid"], sign)

    def wait_ready(self, seconds=30):
        def ready():
            try:
                return web.get(self.api + "/health", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False
        wait_for(ready, f"the API to be ready; status {self.status()['reason']}", seconds)

    def complete(self, prompt, seed=7, max_tokens=24, model=MODEL, timeout=120.0, **more):
        """A chat completion whose answer is a function of its arguments."""
        reply = web.post(self.api + "/v1/chat/completions", timeout=timeout, json=question(prompt, seed, max_tokens, model, **more))
        assert reply.status_code == 200, reply.text
        return reply.json()["choices"][0]["message"]["content"]

    def processes(self):
        """(pid, command line) of all that runs in its home: nodes, engines, what a test started."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(self.home) in command:
                found.append((int(process.name), command))
        return found

    def engines(self):
        return [pid for pid, command in self.processes() if "llama-server" in command]

    def logs(self):
        text = ""
        for log in sorted(self.home.glob("nodes/*/log")):
            text += f"--- {log.parent.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]) + "\n"
        return text


class Node:
    """A node started by hand."""

    def __init__(self, process, folder, api):
        self.process, self.folder, self.api = process, folder, api

    @property
    def id(self):
        return json.loads((self.folder / "run.json").read_text())["id"]

    def running(self):
        assert self.process.poll() is None, self.log()
        return True

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def restart(self):
        """The same node again, after it was stopped."""
        log = open(self.folder / "log", "a")
        self.process = subprocess.Popen(self.process.args, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(self.healthy, f"{self.folder.name} to be back", 40)

    def stop(self, sign=signal.SIGTERM):
        self.process.send_signal(sign)
        return self.process.wait(20)

    def status(self):
        return web.get(self.api + "/planetserve/status", timeout=10).json()

    def healthy(self):
        self.running()
        try:
            return web.get(self.api + "/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def paths(self):
        return [path for path in self.status()["paths"] if path["state"] == "up"]


class RawUser:
    """tests/functional/lab/raw_user.h, as a client. One request at a time."""

    def __init__(self, node):
        self.node = node

    def ask(self, body, path="/v1/chat/completions", model=MODEL, method="POST"):
        """Its reply: {"status", "body"} or {"error"}."""
        text = body if isinstance(body, str) else json.dumps(body)
        line = json.dumps({"method": method, "path": path, "model": model, "body": text}) + "\n"
        self.node.process.stdin.write(line.encode())
        self.node.process.stdin.flush()
        return json.loads(self.node.process.stdout.readline())


def question(prompt, seed=7, max_tokens=24, model=MODEL, **more):
    return {"model": model, "seed": seed, "temperature": 0, "max_tokens": max_tokens, "cache_prompt": False,
            "messages": [{"role": "user", "content": prompt}], **more}


class Stream:
    """A streamed chat completion read piece by piece."""

    def __init__(self, network, prompt, max_tokens=200, seed=7, **more):
        self._client = httpx.Client(verify=False, timeout=httpx.Timeout(60.0))
        self._context = self._client.stream("POST", network.api + "/v1/chat/completions",
                                            json=question(prompt, seed, max_tokens, stream=True, **more))
        self.response = self._context.__enter__()
        assert self.response.status_code == 200, self.response.read()
        self._lines = self.response.iter_lines()
        self.text, self.done, self.finish_reason = "", False, None
        self.pieces, self.comments = 0, []

    def read(self, pieces=None):
        """Reads so many pieces of text, or all there are."""
        got = 0
        for line in self._lines:
            if line == "data: [DONE]":
                self.done = True
                break
            if line.startswith(":"):
                self.comments.append(line)
            if not line.startswith("data: "):
                continue
            chunk = json.loads(line[6:])
            assert "error" not in chunk, chunk
            for choice in chunk["choices"]:
                piece = choice["delta"].get("content") or ""
                self.text += piece
                self.pieces += piece != ""
                self.finish_reason = choice.get("finish_reason") or self.finish_reason
            got += 1
            if pieces is not None and got >= pieces:
                break
        return self

    def close(self):
        self._context.__exit__(None, None, None)
        self._client.close()
