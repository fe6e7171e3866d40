package dev.portolan.exam;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.Watch;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * fabric8's client, with its own settings, against the cluster of KUBECONFIG. Its watches are WebSockets. Prints a line for
 * each check. With the argument --pods the cluster runs pods.
 */
public final class Exam {
    private static final String NAMESPACE = "java-exam";
    /** Seconds for anything that is waited for. */
    private static final int LIMIT = 60;

    private final KubernetesClient client;
    private boolean hasFailed;

    private interface Check {
        void run() throws Exception;
    }

    private Exam(KubernetesClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) {
        try (KubernetesClient client = new KubernetesClientBuilder().build()) {
            Exam exam = new Exam(client);
            exam.runAll(Arrays.asList(arguments).contains("--pods"));
            System.exit(exam.hasFailed ? 1 : 0);
        }
    }

    private void runAll(boolean hasPods) {
        client.resource(new NamespaceBuilder().withNewMetadata().withName(NAMESPACE).endMetadata().build()).create();
        run("create_read_list_delete", this::createReadListDelete);
        run("watch_over_websocket", this::watchOverWebSocket);
        run("informer", this::informer);
        run("server_side_apply", this::serverSideApply);
        run("conflicts_are_told", this::conflictsAreTold);
        if (hasPods) {
            run("pods_logs_and_exec", this::podsLogsAndExec);
        }
        client.namespaces().withName(NAMESPACE).delete();
    }

    private void run(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Exception | AssertionError error) {
            hasFailed = true;
            System.out.println("failed " + name + ": " + error.toString().replaceAll("\\s+", " "));
        }
    }

    private static void require(boolean holds, Object found) {
        if (!holds) {
            throw new AssertionError(String.valueOf(found));
        }
    }

    private static void waitUntil(String what, Callable<Boolean> probe) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT);
        while (!probe.call()) {
            require(System.nanoTime() < end, what + " after " + LIMIT + " s");
            Thread.sleep(200);
        }
    }

    private ConfigMap configMap(String name, String value) {
        return new ConfigMapBuilder()
                .withNewMetadata().withName(name).withNamespace(NAMESPACE).endMetadata()
                .withData(Map.of("k", value))
                .build();
    }

    private void createReadListDelete() {
        client.resource(configMap("a", "v")).create();
        var maps = client.configMaps().inNamespace(NAMESPACE);
        require(maps.withName("a").get().getData().equals(Map.of("k", "v")), maps.withName("a").get());
        require(maps.list().getItems().stream().anyMatch(map -> map.getMetadata().getName().equals("a")), maps.list());
        maps.withName("a").delete();
        require(maps.withName("a").get() == null, "it is still there");
    }

    private void watchOverWebSocket() throws Exception {
        List<Watcher.Action> seen = Collections.synchronizedList(new ArrayList<>());
        var maps = client.configMaps().inNamespace(NAMESPACE).withName("watched");
        Watcher<ConfigMap> watcher = new Watcher<>() {
            @Override
            public void eventReceived(Action action, ConfigMap map) {
                seen.add(action);
            }

            @Override
            public void onClose(WatcherException cause) {
            }
        };
        try (Watch watch = maps.watch(watcher)) {
            client.resource(configMap("watched", "1")).create();
            maps.edit(map -> new ConfigMapBuilder(map).withData(Map.of("k", "2")).build());
            maps.delete();
            waitUntil("three events", () -> seen.size() == 3);
        }
        require(seen.equals(List.of(Watcher.Action.ADDED, Watcher.Action.MODIFIED, Watcher.Action.DELETED)), seen);
    }

    private void informer() throws Exception {
        CountDownLatch added = new CountDownLatch(1);
        ResourceEventHandler<ConfigMap> handler = new ResourceEventHandler<>() {
            @Override
            public void onAdd(ConfigMap map) {
                if (map.getMetadata().getName().equals("informed")) {
                    added.countDown();
                }
            }

            @Override
            public void onUpdate(ConfigMap before, ConfigMap after) {
            }

            @Override
            public void onDelete(ConfigMap map, boolean isStale) {
            }
        };
        try (SharedIndexInformer<ConfigMap> informer = client.configMaps().inNamespace(NAMESPACE).inform(handler)) {
            client.resource(configMap("informed", "1")).create();
            require(added.await(LIMIT, TimeUnit.SECONDS), "the informer does not know it");
        }
    }

    private void serverSideApply() {
        require(client.resource(configMap("applied", "1")).fieldManager("exam").serverSideApply()
                .getData().get("k").equals("1"), "not applied");
        try {
            client.resource(configMap("applied", "2")).fieldManager("other").serverSideApply();
            throw new AssertionError("a field of another manager was written");
        } catch (KubernetesClientException conflict) {
            require(conflict.getCode() == 409, conflict);
        }
    }

    private void conflictsAreTold() {
        ConfigMap old = client.resource(configMap("stale", "1")).create();
        client.resource(configMap("stale", "2")).update();
        try {
            client.resource(new ConfigMapBuilder(old).withData(Map.of("k", "3")).build())
                    .lockResourceVersion(old.getMetadata().getResourceVersion()).update();
            throw new AssertionError("an old version was written");
        } catch (KubernetesClientException conflict) {
            require(conflict.getCode() == 409, conflict);
        }
    }

    private void podsLogsAndExec() throws Exception {
        client.resource(new PodBuilder()
                .withNewMetadata().withName("p").withNamespace(NAMESPACE).endMetadata()
                .withNewSpec()
                .withTerminationGracePeriodSeconds(0L)
                .addNewContainer().withName("c").withImage("busybox")
                .withCommand("sh", "-c", "echo hello; sleep 300").endContainer()
                .endSpec().build()).create();
        var pod = client.pods().inNamespace(NAMESPACE).withName("p");
        pod.waitUntilReady(LIMIT, TimeUnit.SECONDS);
        waitUntil("the log", () -> "hello\n".equals(pod.getLog()));
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        try (ExecWatch exec = pod.writingOutput(output).exec("echo", "there")) {
            Integer code = exec.exitCode().get(LIMIT, TimeUnit.SECONDS);
            require(code == 0, code);
        }
        require(output.toString().equals("there\n"), output);
    }
}
