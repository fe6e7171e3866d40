package dev.portolan.exam;

import com.google.gson.reflect.TypeToken;
import io.kubernetes.client.Exec;
import io.kubernetes.client.custom.V1Patch;
import io.kubernetes.client.informer.ResourceEventHandler;
import io.kubernetes.client.informer.SharedIndexInformer;
import io.kubernetes.client.informer.SharedInformerFactory;
import io.kubernetes.client.openapi.ApiClient;
import io.kubernetes.client.openapi.ApiException;
import io.kubernetes.client.openapi.apis.CoreV1Api;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1ConfigMapList;
import io.kubernetes.client.openapi.models.V1Container;
import io.kubernetes.client.openapi.models.V1Namespace;
import io.kubernetes.client.openapi.models.V1ObjectMeta;
import io.kubernetes.client.openapi.models.V1Pod;
import io.kubernetes.client.openapi.models.V1PodSpec;
import io.kubernetes.client.util.CallGeneratorParams;
import io.kubernetes.client.util.ClientBuilder;
import io.kubernetes.client.util.PatchUtils;
import io.kubernetes.client.util.Watch;
import io.kubernetes.client.util.generic.dynamic.DynamicKubernetesApi;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The official Java client, with its own settings, against the cluster of KUBECONFIG. Prints a line for each check. With the
 * argument --pods the cluster runs pods.
 */
public final class OfficialExam {
    private static final String NAMESPACE = "java-official-exam";
    /** Seconds for anything that is waited for. */
    private static final int LIMIT = 60;

    private final ApiClient client;
    private final CoreV1Api api;
    private boolean hasFailed;

    private interface Check {
        void run() throws Exception;
    }

    private OfficialExam(ApiClient client) {
        this.client = client;
        this.api = new CoreV1Api(client);
    }

    public static void main(String[] arguments) throws Exception {
        ApiClient client = ClientBuilder.standard().build();
        // A watch is read for as long as it is open.
        client.setReadTimeout(0);
        OfficialExam exam = new OfficialExam(client);
        exam.runAll(Arrays.asList(arguments).contains("--pods"));
        System.exit(exam.hasFailed ? 1 : 0);
    }

    private void runAll(boolean hasPods) throws ApiException {
        api.createNamespace(new V1Namespace().metadata(new V1ObjectMeta().name(NAMESPACE))).execute();
        run("official_create_read_list_delete", this::createReadListDelete);
        run("official_pages_of_a_list", this::pagesOfAList);
        run("official_watch", this::watch);
        run("official_informer", this::informer);
        run("official_server_side_apply", this::serverSideApply);
        run("official_conflicts_are_told", this::conflictsAreTold);
        run("official_dynamic_objects", this::dynamicObjects);
        if (hasPods) {
            run("official_pods_logs_and_exec", this::podsLogsAndExec);
        }
        api.deleteNamespace(NAMESPACE).execute();
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

    private static V1ConfigMap configMap(String name, String value) {
        return new V1ConfigMap().metadata(new V1ObjectMeta().name(name)).data(Map.of("k", value));
    }

    private V1ConfigMap create(String name, String value) throws ApiException {
        return api.createNamespacedConfigMap(NAMESPACE, configMap(name, value)).execute();
    }

    private static List<String> names(V1ConfigMapList list) {
        return list.getItems().stream().map(map -> map.getMetadata().getName()).toList();
    }

    private void createReadListDelete() throws ApiException {
        create("a", "v");
        V1ConfigMap found = api.readNamespacedConfigMap("a", NAMESPACE).execute();
        require(found.getData().equals(Map.of("k", "v")), found);
        V1ConfigMapList list = api.listNamespacedConfigMap(NAMESPACE).execute();
        require(names(list).contains("a"), list);
        api.deleteNamespacedConfigMap("a", NAMESPACE).execute();
        try {
            api.readNamespacedConfigMap("a", NAMESPACE).execute();
            throw new AssertionError("it is still there");
        } catch (ApiException missing) {
            require(missing.getCode() == 404, missing.getResponseBody());
        }
    }

    private void pagesOfAList() throws ApiException {
        List<String> wanted = List.of("page-0", "page-1", "page-2");
        for (String name : wanted) {
            create(name, "v");
        }
        List<String> found = new ArrayList<>();
        String next = null;
        do {
            V1ConfigMapList page = api.listNamespacedConfigMap(NAMESPACE).limit(1)._continue(next).execute();
            require(page.getItems().size() <= 1, page);
            found.addAll(names(page));
            next = page.getMetadata().getContinue();
        } while (next != null && !next.isEmpty());
        require(found.containsAll(wanted), found);
    }

    private void watch() throws Exception {
        V1ConfigMap created = create("watched", "1");
        String version = created.getMetadata().getResourceVersion();
        api.replaceNamespacedConfigMap("watched", NAMESPACE, configMap("watched", "2")).execute();
        api.deleteNamespacedConfigMap("watched", NAMESPACE).execute();
        List<String> seen = new ArrayList<>();
        var call = api.listNamespacedConfigMap(NAMESPACE).watch(true).resourceVersion(version)
                .fieldSelector("metadata.name=watched").timeoutSeconds(LIMIT).buildCall(null);
        var type = new TypeToken<Watch.Response<V1ConfigMap>>() { }.getType();
        try (Watch<V1ConfigMap> watch = Watch.createWatch(client, call, type)) {
            while (seen.size() < 2 && watch.hasNext()) {
                seen.add(watch.next().type);
            }
        }
        require(seen.equals(List.of("MODIFIED", "DELETED")), seen);
    }

    private void informer() throws Exception {
        CountDownLatch added = new CountDownLatch(1);
        SharedInformerFactory factory = new SharedInformerFactory(client);
        SharedIndexInformer<V1ConfigMap> informer = factory.sharedIndexInformerFor(
                (CallGeneratorParams asked) -> api.listNamespacedConfigMap(NAMESPACE).watch(asked.watch)
                        .resourceVersion(asked.resourceVersion).timeoutSeconds(asked.timeoutSeconds).buildCall(null),
                V1ConfigMap.class, V1ConfigMapList.class);
        informer.addEventHandler(new ResourceEventHandler<>() {
            @Override
            public void onAdd(V1ConfigMap map) {
                if (map.getMetadata().getName().equals("informed")) {
                    added.countDown();
                }
            }

            @Override
            public void onUpdate(V1ConfigMap before, V1ConfigMap after) {
            }

            @Override
            public void onDelete(V1ConfigMap map, boolean isStale) {
            }
        });
        factory.startAllRegisteredInformers();
        try {
            waitUntil("the informer has its list", informer::hasSynced);
            create("informed", "1");
            require(added.await(LIMIT, TimeUnit.SECONDS), "the informer does not know it");
        } finally {
            factory.stopAllRegisteredInformers();
        }
    }

    private V1ConfigMap apply(String manager, String value) throws ApiException {
        V1Patch patch = new V1Patch("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"applied\"},"
                + "\"data\":{\"k\":\"" + value + "\"}}");
        return PatchUtils.patch(V1ConfigMap.class,
                () -> api.patchNamespacedConfigMap("applied", NAMESPACE, patch).fieldManager(manager).buildCall(null),
                V1Patch.PATCH_FORMAT_APPLY_YAML, client);
    }

    private void serverSideApply() throws ApiException {
        require(apply("exam", "1").getData().get("k").equals("1"), "not applied");
        try {
            apply("other", "2");
            throw new AssertionError("a field of another manager was written");
        } catch (ApiException conflict) {
            require(conflict.getCode() == 409, conflict.getResponseBody());
        }
    }

    private void conflictsAreTold() throws ApiException {
        V1ConfigMap old = create("stale", "1");
        api.replaceNamespacedConfigMap("stale", NAMESPACE, configMap("stale", "2")).execute();
        try {
            api.replaceNamespacedConfigMap("stale", NAMESPACE, old.data(Map.of("k", "3"))).execute();
            throw new AssertionError("an old version was written");
        } catch (ApiException conflict) {
            require(conflict.getCode() == 409, conflict.getResponseBody());
        }
    }

    private void dynamicObjects() throws ApiException {
        create("dynamic", "1");
        DynamicKubernetesApi maps = new DynamicKubernetesApi("", "v1", "configmaps", client);
        var found = maps.get(NAMESPACE, "dynamic").throwsApiException().getObject();
        require(found.getRaw().getAsJsonObject("data").get("k").getAsString().equals("1"), found.getRaw());
    }

    private void podsLogsAndExec() throws Exception {
        V1Container container = new V1Container().name("c").image("busybox")
                .command(List.of("sh", "-c", "echo hello; sleep 300"));
        api.createNamespacedPod(NAMESPACE, new V1Pod().metadata(new V1ObjectMeta().name("p"))
                .spec(new V1PodSpec().terminationGracePeriodSeconds(0L).containers(List.of(container)))).execute();
        waitUntil("the pod runs", () -> "Running".equals(
                api.readNamespacedPod("p", NAMESPACE).execute().getStatus().getPhase()));
        waitUntil("the log", () -> "hello\n".equals(api.readNamespacedPodLog("p", NAMESPACE).execute()));
        Process process = new Exec(client).exec(NAMESPACE, "p", new String[] {"echo", "there"}, false, false);
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        require(process.waitFor(LIMIT, TimeUnit.SECONDS), "exec does not end");
        require(process.exitValue() == 0 && said.equals("there\n"), said);
    }
}
