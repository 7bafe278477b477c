"""Towns: hosts and homes as network namespaces of this kernel, with its own NAT between them.

One namespace in the middle, the sky, has a link to each host and to each home's router; there are no bridges. A host has a
public address. A home is a router with a public address that masquerades, and a laptop behind it, which nobody outside
can dial. Needs root, and a kernel that allows namespaces: refusal() says why a town cannot be built here.
"""

import os
import secrets
import shutil
import signal
import subprocess

from network import wait_for


def _ip(*arguments, check=True):
    done = subprocess.run(["ip", *map(str, arguments)], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"ip {' '.join(map(str, arguments))}: {done.stderr}")
    return done


def refusal():
    """Why no town can be built here; empty where one can."""
    if os.geteuid() != 0:
        return "towns need root: they are network namespaces"
    missing = [tool for tool in ("ip", "nft") if shutil.which(tool) is None]
    if missing:
        return f"towns need {' and '.join(missing)}, which is not here"
    name = f"try-{secrets.token_hex(3)}"
    done = _ip("netns", "add", name, check=False)
    if done.returncode != 0:
        return f"this machine allows no network namespaces: {done.stderr.strip()}"
    done = subprocess.run(["ip", "netns", "exec", name, "nft", "add", "table", "ip", "nat"], capture_output=True, text=True)
    _ip("netns", "del", name)
    return "" if done.returncode == 0 else f"this kernel has no nftables: {done.stderr.strip()}"


class Town:
    def __init__(self):
        self.tag = secrets.token_hex(2)
        self.spaces, self.processes, self.next = [], [], 1
        self.sky = self._space("sky")
        self._forward(self.sky)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        for space in self.spaces:
            # What a test's nodes started themselves.
            for pid in _ip("netns", "pids", space, check=False).stdout.split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            _ip("netns", "del", space, check=False)

    def host(self, name):
        """A namespace with a public address; returns the address."""
        return self._to_the_sky(self._space(name))

    def home(self, name):
        """A laptop behind a router that masquerades; returns the router's public address."""
        router, laptop = self._space(f"{name}-router"), self._space(name)
        public = self._to_the_sky(router)
        self._forward(router)
        self._link(router, "inside", "192.168.1.1", laptop, "lan", "192.168.1.2")
        self._in(laptop, "ip", "route", "add", "default", "via", "192.168.1.1")
        for rule in ("add table ip nat", "add chain ip nat out { type nat hook postrouting priority 100 ; }",
                     'add rule ip nat out oifname "sky" masquerade',
                     # As home routers do: nobody comes in who was not asked.
                     "add table ip guard", "add chain ip guard in { type filter hook forward priority 0 ; policy drop ; }",
                     "add rule ip guard in ct state established,related accept", 'add rule ip guard in iifname "inside" accept'):
            self._in(router, "nft", rule)
        return public

    def run(self, name, *command, check=True, timeout=120):
        done = subprocess.run(self._prefix(name) + [str(part) for part in command], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
        if check and done.returncode != 0:
            raise AssertionError(f"in {name}: {command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def start(self, name, folder, *command):
        """A node's process, with its log in the folder; waits until it has said where it listens."""
        with open(folder / "log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(self._prefix(name) + [str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.processes.append(process)

        def started():
            assert process.poll() is None, (folder / "log").read_text()
            return (folder / "run.json").exists()
        wait_for(started, lambda: f"{folder.name} to start: {(folder / 'log').read_text()}", 30)
        return process

    def _prefix(self, name):
        return ["ip", "netns", "exec", f"{self.tag}-{name}"]

    def _space(self, name):
        space = f"{self.tag}-{name}"
        _ip("netns", "add", space)
        self.spaces.append(space)
        self._in(space, "ip", "link", "set", "lo", "up")
        return space

    def _in(self, space, *command):
        done = subprocess.run(["ip", "netns", "exec", space, *command], capture_output=True, text=True)
        assert done.returncode == 0, f"in {space}: {command}: {done.stderr}"

    def _forward(self, space):
        self._in(space, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def _to_the_sky(self, space):
        number, self.next = self.next, self.next + 1
        public, other = f"198.18.{number}.2", f"198.18.{number}.1"
        self._link(space, "sky", public, self.sky, f"to-{number}", other)
        self._in(space, "ip", "route", "add", "default", "via", other)
        return public

    def _link(self, space, device, address, other, other_device, other_address):
        ends = [f"v{secrets.token_hex(4)}" for _ in range(2)]
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, where, called, has in ((ends[0], space, device, address), (ends[1], other, other_device, other_address)):
            _ip("link", "set", end, "netns", where)
            self._in(where, "ip", "link", "set", end, "name", called)
            self._in(where, "ip", "address", "add", f"{has}/24", "dev", called)
            self._in(where, "ip", "link", "set", called, "up")
