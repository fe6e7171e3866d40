// The official JavaScript client against the cluster of KUBECONFIG. Prints a line for each check.
//
// Usage: node exam.mjs [--pods]. With --pods the cluster runs pods.

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import * as k8s from '@kubernetes/client-node';

const NAMESPACE = 'node-exam';
// Milliseconds for anything that is waited for.
const LIMIT = 60_000;

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const namespace = NAMESPACE;

const configMap = (name, data) => ({ metadata: { name }, data });

async function waitUntil(what, probe) {
  const end = Date.now() + LIMIT;
  while (Date.now() < end) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${what} after ${LIMIT} ms`);
}

const checks = {
  async create_read_list_delete() {
    await core.createNamespacedConfigMap({ namespace, body: configMap('a', { k: 'v' }) });
    assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name: 'a' })).data, { k: 'v' });
    const { items } = await core.listNamespacedConfigMap({ namespace });
    assert.ok(items.some((item) => item.metadata.name === 'a'));
    await core.deleteNamespacedConfigMap({ namespace, name: 'a' });
    await assert.rejects(core.readNamespacedConfigMap({ namespace, name: 'a' }), (error) => error.code === 404);
  },

  async watch_sees_every_change() {
    const seen = [];
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    const request = await new k8s.Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { resourceVersion: metadata.resourceVersion },
      (type, object) => object.metadata?.name === 'watched' && seen.push(type),
      () => {},
    );
    await core.createNamespacedConfigMap({ namespace, body: configMap('watched', { k: '1' }) });
    await core.patchNamespacedConfigMap(
      { namespace, name: 'watched', body: { data: { k: '2' } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    await core.deleteNamespacedConfigMap({ namespace, name: 'watched' });
    await waitUntil('three events', () => seen.length === 3);
    request.abort();
    assert.deepEqual(seen, ['ADDED', 'MODIFIED', 'DELETED']);
  },

  async informers_have_what_is_there() {
    const list = () => core.listNamespacedConfigMap({ namespace });
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list);
    const added = new Set();
    informer.on('add', (object) => added.add(object.metadata.name));
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: configMap('informed', {}) });
    await waitUntil('the informer knows it', () => added.has('informed'));
    await informer.stop();
  },

  async server_side_apply() {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', ...configMap('applied', { k: '1' }) };
    const apply = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply);
    const request = { namespace, name: 'applied', body, fieldManager: 'exam' };
    assert.deepEqual((await core.patchNamespacedConfigMap(request, apply)).data, { k: '1' });
    const other = { ...request, body: { ...body, data: { k: '2' } }, fieldManager: 'other' };
    await assert.rejects(core.patchNamespacedConfigMap(other, apply), (error) => error.code === 409);
  },

  async objects_of_every_kind() {
    const client = k8s.KubernetesObjectApi.makeApiClient(config);
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'r', namespace },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    };
    await client.create(role);
    assert.equal((await client.read(role)).rules.length, 1);
    await client.delete(role);
  },
};

const podChecks = {
  async pods_logs_and_exec() {
    const container = { name: 'c', image: 'busybox', command: ['sh', '-c', 'echo hello; sleep 300'] };
    const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
    await core.createNamespacedPod({ namespace, body: { metadata: { name: 'p' }, spec } });
    const runs = async () => (await core.readNamespacedPod({ namespace, name: 'p' })).status.phase === 'Running';
    await waitUntil('the pod runs', runs);
    const log = async () => (await core.readNamespacedPodLog({ namespace, name: 'p' })) === 'hello\n';
    await waitUntil('the log', log);
    const output = new PassThrough();
    let said = '';
    output.on('data', (chunk) => (said += chunk));
    const ended = new Promise((resolve) => {
      new k8s.Exec(config).exec(namespace, 'p', 'c', ['echo', 'there'], output, null, null, false, resolve);
    });
    assert.equal((await ended).status, 'Success');
    assert.equal(said, 'there\n');
  },
};

const asked = process.argv.includes('--pods') ? { ...checks, ...podChecks } : checks;
let failed = 0;
await core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
for (const [name, check] of Object.entries(asked)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`failed ${name}: ${String(error).replace(/\s+/g, ' ')}`);
  }
}
await core.deleteNamespace({ name: NAMESPACE });
process.exit(failed ? 1 : 0);
