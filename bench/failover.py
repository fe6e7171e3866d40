#!/usr/bin/env python3
"""Faults of a cluster, and when its endpoints leave another one.

Starts in a network namespace of its own: a control plane, the members a, b and c, an agent in each of them, and a listener for
the endpoint of a and of b. Breaks a in seeded ways and watches the EndpointSlices of a and b in c.

    sudo unshare -n bench/failover.py --portolan target/release/portolan --dir /tmp/failover --seed 1 --runs 200

Prints a line of JSON for each run: the fault, after how many seconds the endpoint was not ready (`after`), how often it was not
although its pods answered (`false`), and how often it changed while a came back (`flips`). A stall that lasted longer than it
should is `void`. A second service, `bounded`, has a TrafficPolicy whose boundary is the cluster a: `outside` counts its
EndpointSlices of b in c, which must be none, whatever happens to a.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

PORTS = {"hub": 7440, "a": 7451, "b": 7452, "c": 7453}
ADDRESSES = {"a": "10.201.1.1", "b": "10.201.2.1"}
# Faults after which a is dead, with the time in seconds within which its endpoint has to leave.
DEAD = {"kill": 1.0, "hubdead": 1.0, "silence": 5.0, "stop": 5.0}
ALIVE = ["api", "link", "stall", "loss", "hub"]

LISTENER = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], 8080))
listener.listen(512)
while True:
    listener.accept()[0].close()
"""

MANIFEST = """
apiVersion: v1
kind: Service
metadata: {{name: {service}}}
spec: {{ports: [{{name: http, port: 80, targetPort: 8080}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {service}-1, labels: {{kubernetes.io/service-name: {service}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints: [{{addresses: ["{address}"], conditions: {{ready: true}}}}]
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {{name: {service}}}
"""

BOUNDARY = """
apiVersion: portolan.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: bounded, namespace: default}
spec: {services: [bounded], boundary: {clusterAffinity: {clusterNames: [a]}}}
"""
SERVICE_NAME = "multicluster.kubernetes.io/service-name"
SOURCE = "multicluster.kubernetes.io/source-cluster"


def run(command, text=None):
    return subprocess.run(command, shell=True, capture_output=True, text=True, input=text)


def must(command):
    result = run(command)
    if result.returncode:
        sys.exit(f"{command}: {result.stdout}{result.stderr}")


class World:
    def __init__(self, portolan, directory):
        self.portolan, self.directory, self.processes = portolan, directory, {}
        self.seen = {"a": [], "b": []}
        self.outside = 0
        self.stalled = 0.0
        os.makedirs(directory, exist_ok=True)
        must("ip link set lo up")
        for address in ADDRESSES.values():
            must(f"ip address add {address}/32 dev lo")
        must("nft add table inet faults")
        must("nft 'add chain inet faults input { type filter hook input priority 0; }'")

    def config(self, name):
        return f"{self.directory}/{name}/portolan.config"

    def start(self, name, command):
        log = open(f"{self.directory}/{name}.log", "ab")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def server(self, name):
        listen = f"127.0.0.1:{PORTS[name]}"
        # A run ends when a is ready again, which has nothing to do with its endpoints.
        soon = ["--cluster-success-threshold", "1s"]
        self.start(name, [self.portolan, "server", "--dir", f"{self.directory}/{name}", "--listen", listen, *soon])

    def agent(self, name):
        port = PORTS[name]
        self.start(f"agent-{name}", [
            self.portolan, "agent", "--kubeconfig", self.config(name), "--agent-name", name, "--lease-namespace", "kube-system",
            "--dns-listen", f"127.0.0.1:{port + 1000}", "--http-listen", f"127.0.0.1:{port + 2000}"])

    def pod(self, name):
        self.start(f"pod-{name}", [sys.executable, "-c", LISTENER, ADDRESSES[name]])

    def signal(self, number, *names):
        for name in names:
            self.processes[name].send_signal(number)
            if number == signal.SIGKILL:
                self.processes[name].wait()

    def kubectl(self, name, arguments, text=None):
        return run(f"kubectl --kubeconfig {self.config(name)} {arguments}", text)

    def follow(self, source):
        """Notes each change of the endpoint of `source` in c."""
        selector = f"{SOURCE}={source},{SERVICE_NAME}=web"
        path = 'jsonpath={.endpoints[0].conditions.ready}{"\\n"}'
        command = ["kubectl", "--kubeconfig", self.config("c"), "get", "endpointslices", "-l", selector, "-w", "-o", path]
        while True:
            watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            for line in filter(None, map(str.strip, watch.stdout)):
                self.seen[source].append((time.time(), line == "true"))
            time.sleep(0.3)

    def follow_outside(self):
        """Counts the EndpointSlices that a boundary forbids."""
        command = ["kubectl", "--kubeconfig", self.config("c"), "get", "endpointslices", "-l",
                   f"{SOURCE}=b,{SERVICE_NAME}=bounded", "-w", "-o", "name"]
        while True:
            watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            for _ in filter(None, map(str.strip, watch.stdout)):
                self.outside += 1
            time.sleep(0.3)

    def is_bounded(self):
        """Whether c has the endpoint of a of the service with a boundary."""
        selector = f"{SOURCE}=a,{SERVICE_NAME}=bounded"
        return self.kubectl("c", f"get endpointslices -l {selector} -o name").stdout.strip() != ""

    def is_ready(self, source):
        return bool(self.seen[source]) and self.seen[source][-1][1]

    def lost(self, source, since):
        return [when - since for when, ready in self.seen[source] if when > since and not ready]

    def prepare(self):
        for name in PORTS:
            self.server(name)
        for name in PORTS:
            until(f"{name} answers", lambda: self.kubectl(name, "get namespace kube-system").returncode == 0)
        hub = f"--kubeconfig {self.config('hub')}"
        for name in "abc":
            join = f"{self.portolan} join {name} {hub} --cluster-kubeconfig {self.config(name)}"
            until(f"{name} joins", lambda: run(join).returncode == 0)
        must(f"{self.portolan} clusterset create prod {hub}")
        must(f"{self.portolan} clusterset add prod a b c {hub}")
        until("the policy is there", lambda: self.kubectl("hub", "apply -f -", BOUNDARY).returncode == 0)
        for name in "abc":
            self.agent(name)
        for name, address in ADDRESSES.items():
            self.pod(name)
            text = MANIFEST.format(address=address, service="web") + "---" + MANIFEST.format(address=address, service="bounded")
            until(f"{name} exports", lambda: self.kubectl(name, "apply -f -", text).returncode == 0)
        for name in ADDRESSES:
            threading.Thread(target=self.follow, args=(name,), daemon=True).start()
        threading.Thread(target=self.follow_outside, daemon=True).start()
        until("the service with a boundary has its endpoint", self.is_bounded)
        until("both endpoints are ready", lambda: self.is_ready("a") and self.is_ready("b"))
        time.sleep(3)

    def drop(self, *rules):
        must("nft '" + "; ".join(f"add rule inet faults input {rule} drop" for rule in rules) + "'")

    def heal(self):
        must("nft flush chain inet faults input")

    def break_a(self, fault):
        whole = ("a", "agent-a", "pod-a")
        api = (f"tcp dport {PORTS['a']}", f"tcp sport {PORTS['a']}")
        pods = f"ip daddr {ADDRESSES['a']}"
        some = "numgen random mod 100 < 5"
        started = time.time()
        if fault in ("kill", "hubdead"):
            self.signal(signal.SIGKILL, *whole)
        elif fault == "silence":
            self.drop(pods, *api)
            self.signal(signal.SIGSTOP, "agent-a")
        elif fault == "stop":
            # A kernel goes on taking connections for a process that is stopped.
            self.drop(pods)
            self.signal(signal.SIGSTOP, *whole)
        elif fault == "api":
            self.signal(signal.SIGKILL, "a")
        elif fault == "link":
            self.drop(*api)
        elif fault == "stall":
            self.drop(pods, *api)
            time.sleep(2)
            self.heal()
            self.stalled = time.time() - started
        elif fault == "loss":
            self.drop(f"tcp dport 8080 {some}", f"tcp sport 8080 {some}", f"tcp dport {PORTS['a']} {some}")
        elif fault == "hub":
            self.signal(signal.SIGKILL, "hub")
            self.server("hub")

    def mend_a(self, fault):
        self.heal()
        if fault in ("kill", "hubdead"):
            self.server("a"), self.pod("a"), self.agent("a")
        elif fault == "api":
            self.server("a")
        elif fault == "silence":
            self.signal(signal.SIGCONT, "agent-a")
        elif fault == "stop":
            self.signal(signal.SIGCONT, "a", "agent-a", "pod-a")

    def try_fault(self, fault):
        result = {"fault": fault}
        outside, since = self.outside, time.time()
        self.break_a(fault)
        if fault in DEAD:
            deadline = since + 30
            while self.is_ready("a") and time.time() < deadline:
                time.sleep(0.02)
            lost = self.lost("a", since)
            result["after"] = round(lost[0], 2) if lost else None
            result["late"] = not lost or lost[0] > DEAD[fault]
            if fault == "hubdead":
                restarted = time.time()
                self.signal(signal.SIGKILL, "hub")
                self.server("hub")
                time.sleep(8)
                result["flaps"] = sum(1 for when, ready in self.seen["a"] if when > restarted and ready)
        else:
            time.sleep(4 if fault == "stall" else 10)
            result["false"] = len(self.lost("a", since))
            if fault == "stall":
                result["stalled"] = round(self.stalled, 1)
                # The machine was too slow: these were not the two seconds of this fault.
                result["void"] = self.stalled > 2.5
        result["false of b"] = len(self.lost("b", since))
        self.mend_a(fault)
        mended = time.time()
        until("a is back", lambda: self.is_ready("a"))
        result["back"] = round(time.time() - mended, 1)
        ready = "get cluster a -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].status}'"
        until("the control plane follows a", lambda: "True" in self.kubectl("hub", ready).stdout)
        time.sleep(2)
        states = [False] + [ready for when, ready in self.seen["a"] if when > mended]
        result["flips"] = sum(1 for before, after in zip(states, states[1:]) if before and not after)
        result["outside"] = self.outside - outside
        result["load"] = round(os.getloadavg()[0], 1)
        return result


def until(what, condition, limit=400):
    deadline = time.time() + limit
    while not condition():
        if time.time() > deadline:
            sys.exit(f"never: {what}")
        time.sleep(0.2)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--portolan", required=True)
    arguments.add_argument("--dir", required=True)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=200)
    arguments.add_argument("--faults", default=",".join([*DEAD, *ALIVE]))
    given = arguments.parse_args()
    random.seed(given.seed)
    world = World(given.portolan, given.dir)
    try:
        world.prepare()
        for _ in range(given.runs):
            time.sleep(random.random())
            print(json.dumps(world.try_fault(random.choice(given.faults.split(",")))), flush=True)
    finally:
        for process in world.processes.values():
            process.kill()


if __name__ == "__main__":
    main()
