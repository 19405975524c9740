import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from '../support/index.js';
import { ROOT } from './command.js';
import { of, render } from './manifests.js';

const EXT4_SHARE = 0.95;
const GIB = 1024 ** 3;

test('policy: Azure Files over NFS keeps to its network and is left alone by every chown', () => {
  const manifests = render('overlays/azure-files-nfs');
  const [{ metadata, parameters, mountOptions, provisioner }] = of(manifests, 'StorageClass');
  const [claim] = of(manifests, 'PersistentVolumeClaim');
  assert.equal(claim.spec.storageClassName, metadata.name);
  assert.equal(provisioner, 'file.csi.azure.com');
  assert.equal(parameters.protocol, 'nfs');
  assert.equal(parameters.networkEndpointType, 'privateEndpoint');
  // root makes the share's own folder writable for uid 10001 once, and is squashed after that by a command
  assert.deepEqual([parameters.rootSquashType, parameters.mountPermissions], ['NoRootSquash', '0777']);
  assert.equal(parameters.fsGroupChangePolicy, 'None');
  assert.ok(mountOptions.includes('hard') && !mountOptions.includes('soft'));
  const storage = readFileSync(join(ROOT, 'docs/storage.md'), 'utf8');
  assert.match(storage, /az storage share-rm update .*--root-squash RootSquash/);
});

test('policy: a share over SMB is mounted as a managed identity, and no key is kept in the cluster', () => {
  const [{ parameters }] = of(
    render('overlays/azure-files', ['components/azure-files-identity']),
    'StorageClass',
  );
  assert.equal(parameters.protocol, 'smb');
  assert.equal(parameters.mountWithManagedIdentity, 'true');
  assert.equal(parameters.storeAccountKey, 'false');
});

test('policy: a staging disk of its own is made with the pod, writable for it, and large enough', () => {
  const manifests = render('overlays/nfs', ['components/staging-disk']);
  const { spec } = of(manifests, 'Deployment', 'sluice-uploader')[0].spec.template;
  const { emptyDir, ephemeral } = spec.volumes.find(({ name }: any) => name === 'staging');
  assert.equal(emptyDir, undefined);
  const { accessModes, resources } = ephemeral.volumeClaimTemplate.spec;
  assert.deepEqual(accessModes, ['ReadWriteOnce']);
  assert.equal(spec.securityContext.fsGroup, spec.securityContext.runAsUser);
  assert.equal(spec.securityContext.fsGroupChangePolicy, 'OnRootMismatch');
  const [{ data }] = of(manifests, 'ConfigMap', 'sluice-settings');
  const room = parseInt(resources.requests.storage, 10) * GIB * EXT4_SHARE;
  assert.ok(parseInt(data.APP_STAGING_LIMIT, 10) * GIB < room, 'the filesystem takes a part of the disk');
  assert.equal(spec.containers[0].resources.limits['ephemeral-storage'], '2Gi', 'the node disk is not asked');
});
