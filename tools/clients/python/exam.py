"""The official Python client and kopf against the cluster of KUBECONFIG. Prints a line for each check.

Usage: exam.py [--pods]. With --pods the cluster runs pods.
"""

import subprocess
import sys
import tempfile
import threading
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

NAMESPACE = "python-exam"
# Seconds for anything that is waited for.
LIMIT = 60
HANDLERS = '''
import kopf

@kopf.on.create("configmaps", labels={"exam": "kopf"})
def created(name, **_):
    return {"seen": name}

@kopf.on.create("configmaps", labels={"exam": "kopf"})
def marked(patch, **_):
    patch.metadata.annotations["exam/handled"] = "yes"
'''


def wait_until(what, probe):
    """The first true answer of probe."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    raise TimeoutError(f"{what} after {LIMIT} s")


def config_map(name, data, labels=None):
    metadata = client.V1ObjectMeta(name=name, labels=labels or {})
    return client.V1ConfigMap(metadata=metadata, data=data)


class Checks:
    def __init__(self):
        self.core = client.CoreV1Api()
        self.failed = 0

    def run(self, name):
        try:
            getattr(self, name)()
            print(f"ok {name}", flush=True)
        except Exception as error:  # the report has every kind of failure
            self.failed += 1
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"failed {name}: {text}", flush=True)

    def create_read_list_delete(self):
        self.core.create_namespaced_config_map(NAMESPACE, config_map("a", {"k": "v"}))
        assert self.core.read_namespaced_config_map("a", NAMESPACE).data == {"k": "v"}
        names = [item.metadata.name for item in self.core.list_namespaced_config_map(NAMESPACE).items]
        assert "a" in names, names
        self.core.delete_namespaced_config_map("a", NAMESPACE)
        try:
            self.core.read_namespaced_config_map("a", NAMESPACE)
        except ApiException as error:
            assert error.status == 404, error.status
        else:
            raise AssertionError("it is still there")

    def pages_of_a_list(self):
        for number in range(5):
            self.core.create_namespaced_config_map(NAMESPACE, config_map(f"page-{number}", {}, {"exam": "pages"}))
        found, token = [], None
        while True:
            page = self.core.list_namespaced_config_map(
                NAMESPACE, label_selector="exam=pages", limit=2, _continue=token
            )
            found += [item.metadata.name for item in page.items]
            token = page.metadata._continue
            if not token:
                break
        assert found == [f"page-{number}" for number in range(5)], found

    def watch_sees_every_change(self):
        start = self.core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
        seen = []

        def follow():
            for event in watch.Watch().stream(
                self.core.list_namespaced_config_map, NAMESPACE, resource_version=start, timeout_seconds=LIMIT
            ):
                if event["object"].metadata.name == "watched":
                    seen.append(event["type"])
                    if event["type"] == "DELETED":
                        return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        self.core.create_namespaced_config_map(NAMESPACE, config_map("watched", {"k": "1"}))
        self.core.patch_namespaced_config_map("watched", NAMESPACE, {"data": {"k": "2"}})
        self.core.delete_namespaced_config_map("watched", NAMESPACE)
        thread.join(LIMIT)
        assert seen == ["ADDED", "MODIFIED", "DELETED"], seen

    def patches_of_every_kind(self):
        self.core.create_namespaced_config_map(NAMESPACE, config_map("patched", {"k": "1"}))
        patch = lambda body: self.core.patch_namespaced_config_map("patched", NAMESPACE, body).data
        assert patch({"data": {"k": "2"}}) == {"k": "2"}
        assert patch([{"op": "replace", "path": "/data/k", "value": "3"}]) == {"k": "3"}
        applied = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "patched"}, "data": {"j": "4"}}
        result = applied.server_side_apply(body, name="patched", namespace=NAMESPACE, field_manager="exam")
        assert result.data.to_dict() == {"k": "3", "j": "4"}, result.data

    def conflicts_are_told(self):
        made = self.core.create_namespaced_config_map(NAMESPACE, config_map("stale", {"k": "1"}))
        self.core.patch_namespaced_config_map("stale", NAMESPACE, {"data": {"k": "2"}})
        try:
            self.core.replace_namespaced_config_map("stale", NAMESPACE, made)
        except ApiException as error:
            assert error.status == 409, error.status
        else:
            raise AssertionError("an old version was written")

    def custom_resources(self):
        group, plural = "exam.portolan.dev", "boats"
        schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"sails": {"type": "integer"}}}}}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": plural, "singular": "boat", "kind": "Boat"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
        definitions = client.ApiextensionsV1Api()
        definitions.create_custom_resource_definition(definition)

        def established():
            conditions = definitions.read_custom_resource_definition(f"{plural}.{group}").status.conditions or []
            return any(one.type == "Established" and one.status == "True" for one in conditions)

        wait_until("the definition is established", established)
        boats = client.CustomObjectsApi()
        boat = {"apiVersion": f"{group}/v1", "kind": "Boat", "metadata": {"name": "b"}, "spec": {"sails": 2}}
        boats.create_namespaced_custom_object(group, "v1", NAMESPACE, plural, boat)
        boat["spec"]["sails"] = "two"
        boat["metadata"]["name"] = "c"
        try:
            boats.create_namespaced_custom_object(group, "v1", NAMESPACE, plural, boat)
        except ApiException as error:
            assert error.status == 422, error.status
        else:
            raise AssertionError("a wrong type was stored")
        definitions.delete_custom_resource_definition(f"{plural}.{group}")

    def kopf_handles_what_is_created(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as handlers:
            handlers.write(HANDLERS)
            handlers.flush()
            arguments = [sys.executable, "-m", "kopf", "run", handlers.name, "--namespace", NAMESPACE]
            operator = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.core.create_namespaced_config_map(NAMESPACE, config_map("handled", {}, {"exam": "kopf"}))

                def is_marked():
                    found = self.core.read_namespaced_config_map("handled", NAMESPACE)
                    return (found.metadata.annotations or {}).get("exam/handled") == "yes"

                wait_until("the handler has run", is_marked)
            finally:
                operator.terminate()
                operator.wait(LIMIT)

    def pods_logs_and_exec(self):
        container = {"name": "c", "image": "busybox", "command": ["sh", "-c", "echo hello; sleep 300"]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
        self.core.create_namespaced_pod(NAMESPACE, pod)
        phase = lambda: self.core.read_namespaced_pod("p", NAMESPACE).status.phase == "Running"
        wait_until("the pod runs", phase)
        # The raw answer: version 36 of the client makes the text "b'hello\\n'" of it.
        answer = lambda: self.core.read_namespaced_pod_log("p", NAMESPACE, _preload_content=False)
        log = lambda: answer().data == b"hello\n"
        wait_until("the log", log)
        execute = self.core.connect_get_namespaced_pod_exec
        said = stream(execute, "p", NAMESPACE, command=["echo", "there"], stdout=True, stderr=True, stdin=False, tty=False)
        assert said == "there\n", said
        shell = stream(
            execute, "p", NAMESPACE, command=["cat"], stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False
        )
        shell.write_stdin("back\n")
        line = shell.readline_stdout(timeout=LIMIT)
        shell.close()
        assert line == "back", line


def main():
    config.load_kube_config()
    checks = Checks()
    checks.core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
    names = [
        "create_read_list_delete",
        "pages_of_a_list",
        "watch_sees_every_change",
        "patches_of_every_kind",
        "conflicts_are_told",
        "custom_resources",
        "kopf_handles_what_is_created",
    ]
    if "--pods" in sys.argv:
        names.append("pods_logs_and_exec")
    for name in names:
        checks.run(name)
    checks.core.delete_namespace(NAMESPACE)
    sys.exit(1 if checks.failed else 0)


main()
