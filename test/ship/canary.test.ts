import assert from 'node:assert/strict';
import { test } from '../support/index.js';
import { IMAGE } from './command.js';
import { of, render } from './manifests.js';
import { asPod, Podman } from './podman.js';

test('the storage canary passes on a shared claim, and names pods with volumes of their own', (t) => {
  const podman = Podman.start(t, IMAGE);
  const [{ spec: job }] = of(render('canary'), 'Job');
  const claims = of(render('overlays/local'), 'PersistentVolumeClaim');
  const pod = (index: number, more: string[] = []): any => {
    const made = asPod(`canary-${index}`, job.template);
    const [container] = made.spec.containers;
    // a Job's controller says these two, and podman has none
    const told: Record<string, string> = { RUN: 'one-run', JOB_COMPLETION_INDEX: String(index) };
    container.args = [...container.args, '--size=32Mi', ...more].map((arg: string) =>
      arg.replace(/\$\((\w+)\)/g, (_, name: string) => told[name] ?? ''),
    );
    container.env = [{ name: 'NODE_NAME', value: `node-${index}` }];
    return made;
  };

  podman.play([...claims, pod(0), pod(1)]);
  for (const index of [0, 1]) {
    const { code, said } = podman.ended(`canary-${index}-canary`);
    assert.equal(code, 0, said);
  }
  podman.run('pod', 'rm', '--force', 'canary-0', 'canary-1');
  podman.play([pod(2)]);
  const { code, said } = podman.ended('canary-2-canary');
  assert.equal(code, 0, said);
  t.diagnostic(said);
  for (const check of [
    'read in the other',
    'rename excludes a second claimer',
    'growth of a file is seen',
    'sub-folders',
    'fsync',
    'local disk',
    'free space',
    'free inodes',
    'still there after the pods were replaced',
    'The volume is fit for Sluice.',
  ])
    assert.ok(said.includes(check), `${check}: ${said}`);
  podman.run('pod', 'rm', '--force', 'canary-2');

  const [own0, own1] = [0, 1].map((index) => {
    const template = structuredClone(job.template);
    const volume = template.spec.volumes.find((entry: any) => entry.persistentVolumeClaim);
    delete volume.persistentVolumeClaim;
    volume.emptyDir = {};
    const made = pod(index, ['--wait=5']);
    const renamed = asPod(made.metadata.name, template);
    made.spec.volumes = renamed.spec.volumes;
    made.spec.containers[0].volumeMounts = renamed.spec.containers[0].volumeMounts;
    return made;
  });
  podman.play([own0, own1]);
  for (const index of [0, 1]) {
    const ended = podman.ended(`canary-${index}-canary`);
    assert.equal(ended.code, 1, ended.said);
    assert.match(ended.said, /the volume is not fit: .*volume of its own \(a per-pod emptyDir/);
  }
});
