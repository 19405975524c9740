import assert from 'node:assert/strict';
import { ACCOUNT, test, until } from '../support/index.js';
import { AZURITE, IMAGE, VALKEY } from './command.js';
import { of, render } from './manifests.js';
import { allMoved, ask, containerAt, dropThirty } from './moved.js';
import { asPod, Podman } from './podman.js';

const TOKEN = 'a-token-of-this-test';
const PASSWORD = 'a-password-of-this-test';

// podman has no StatefulSets and Services, so Valkey and Azurite run beside the pods, and the settings point at them; nor
// does it put one variable into another
test('the pods of the local overlay, on one claim, move thirty files', async (t) => {
  const podman = Podman.start(t, IMAGE, VALKEY, AZURITE);
  const documents = render('overlays/local');
  const argsOf = (name: string) =>
    of(documents, 'StatefulSet', name)[0].spec.template.spec.containers[0].args.map((arg: unknown) =>
      String(arg).replace('$(REDISCLI_AUTH)', PASSWORD),
    );
  const redis = podman.service('redis', VALKEY, ...argsOf('sluice-redis'));
  const azurite = podman.service('azurite', AZURITE, ...argsOf('sluice-azurite'));

  const [settings] = of(documents, 'ConfigMap', 'sluice-settings');
  settings.data.APP_AZURE_ACCOUNT_URL = `http://${azurite}:10000/${ACCOUNT.name}`;
  podman.secret('sluice-api', { token: TOKEN });
  podman.secret('sluice-redis', { password: PASSWORD });
  podman.secret('sluice-azure', {
    APP_AZURE_ACCOUNT_NAME: ACCOUNT.name,
    APP_AZURE_ACCOUNT_KEY: ACCOUNT.key,
  });
  const pods = of(documents, 'Deployment').flatMap(({ metadata, spec }) =>
    Array.from({ length: spec.replicas }, (_, i) => asPod(`${metadata.name}-${i}`, spec.template)),
  );
  for (const { spec } of pods)
    for (const variable of spec.containers[0].env)
      if (variable.name === 'APP_REDIS_URL')
        variable.value = variable.value.replace('$(REDIS_PASSWORD)', PASSWORD).replace('sluice-redis', redis);
  assert.equal(pods.filter((pod) => pod.metadata.name.startsWith('sluice-uploader')).length, 2);
  podman.play([settings, ...of(documents, 'PersistentVolumeClaim'), ...pods]);

  const api = `${podman.addressOfPod('sluice-api-0')}:8000`;
  await until('all pods are ready', async () => {
    const { pods: live } = await ask(api, '/v1/status', TOKEN);
    return live.filter((pod: any) => pod.ready).length === pods.length;
  });
  await assert.rejects(ask(api, '/v1/status', 'another-token'), /401/);
  for (const pod of pods) {
    const container = `${pod.metadata.name}-${pod.spec.containers[0].name}`;
    const [{ HostConfig, Config }] = JSON.parse(podman.run('inspect', container));
    assert.equal(HostConfig.ReadonlyRootfs, true, `${container} cannot write its root`);
    assert.equal(Config.User, '10001:10001', `${container} is not root`);
  }

  const { date_prefix, encoded_session } = await ask(api, '/v1/watch/start', TOKEN, { session_name: 'pods' });
  const volume = podman.folderOf('sluice-nfs');
  const dropped = dropThirty(`${volume}/incoming`);
  const container = containerAt(`${azurite}:10000`);
  await allMoved(api, TOKEN, container, volume, `${date_prefix}/${encoded_session}`, dropped);
});
