import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from '../support/index.js';
import { command, tryCommand, type Ended } from './command.js';
import { asYaml } from './manifests.js';

// podman asks for more open files than a machine may allow, for systemd's cgroups and its journal; here are neither
const SETTINGS = `[containers]
default_ulimits = ["nofile=8192:8192", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

/** A podman of one test file alone: its own images, volumes and containers, all gone at the end. */
export class Podman {
  private readonly folder = mkdtempSync(join(tmpdir(), 'sluice-podman-'));
  private plays = 0;

  private constructor() {
    writeFileSync(join(this.folder, 'containers.conf'), SETTINGS);
  }

  /** @param images what Docker has and this podman needs */
  static start(t: TestContext, ...images: string[]): Podman {
    const podman = new Podman();
    t.after(() => podman.end());
    const archive = join(podman.folder, 'images.tar');
    command('docker', ['save', '-o', archive, ...images]);
    podman.run('load', '--quiet', '-i', archive);
    rmSync(archive);
    return podman;
  }

  private get env(): Record<string, string> {
    return { CONTAINERS_CONF: join(this.folder, 'containers.conf') };
  }

  private line(...args: string[]): string[] {
    const { folder } = this;
    return ['podman', '--root', join(folder, 'root'), '--runroot', join(folder, 'run'), ...args];
  }

  /** Runs podman to its end. @throws Error where it fails */
  run(...args: string[]): string {
    const [program = '', ...rest] = this.line(...args);
    return command(program, rest, this.env);
  }

  /** Runs podman to its end, however it ends. */
  attempt(...args: string[]): Ended {
    const [program = '', ...rest] = this.line(...args);
    return tryCommand(program, rest, this.env);
  }

  /** Starts a container beside the pods, of an image by the name it has here. @returns its address */
  service(name: string, image: string, ...args: string[]): string {
    this.run('run', '-d', '--name', name, image, ...args);
    return this.addressOf(name);
  }

  /** The address of a pod: its first container holds the network. */
  addressOfPod(name: string): string {
    return this.addressOf(this.run('pod', 'inspect', '--format', '{{.InfraContainerID}}', name));
  }

  private addressOf(name: string): string {
    return this.run('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);
  }

  /** Makes a Secret in the form in which this podman reads it: its data alone, as JSON. */
  secret(name: string, data: Record<string, string>): void {
    const path = join(this.folder, `${name}.json`);
    const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    writeFileSync(path, JSON.stringify(Object.fromEntries(encoded)));
    this.run('secret', 'create', name, path);
  }

  /** `podman kube play`. @returns the file, to take it down with */
  play(manifests: readonly unknown[]): string {
    const path = join(this.folder, `play-${this.plays++}.yaml`);
    writeFileSync(path, asYaml(manifests));
    // on the network of the containers beside them
    this.run('kube', 'play', '--network', 'podman', path);
    return path;
  }

  /** Where a volume is on this machine. */
  folderOf(volume: string): string {
    return this.run('volume', 'inspect', '--format', '{{.Mountpoint}}', volume);
  }

  /** Waits for the end of a container. @returns its code and what it said */
  ended(container: string): { code: number; said: string } {
    const code = Number(this.run('wait', container));
    const { stdout, stderr } = this.attempt('logs', container);
    return { code, said: stdout + stderr };
  }

  private end(): void {
    this.attempt('pod', 'rm', '--force', '--all', '--time', '5');
    this.attempt('rm', '--force', '--all', '--volumes', '--time', '5');
    this.attempt('volume', 'rm', '--force', '--all');
    this.attempt('rmi', '--force', '--all');
    tryCommand('umount', [join(this.folder, 'root', 'overlay')]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A pod template as one pod for podman. What it lacks is taken out: probes (they need systemd), and ports (it would
 * open each on the host). An emptyDir gets the pod's name, since this podman makes one of each name for all pods.
 */
export function asPod(name: string, template: any): any {
  const { metadata, spec } = structuredClone(template);
  for (const container of spec.containers) {
    container.image = `localhost/${container.image}`;
    for (const key of ['livenessProbe', 'readinessProbe', 'startupProbe', 'ports']) delete container[key];
    for (const mount of container.volumeMounts ?? [])
      if (ownOf(spec, mount.name)) mount.name = `${mount.name}-${name}`;
  }
  for (const volume of spec.volumes ?? []) if (volume.emptyDir) volume.name = `${volume.name}-${name}`;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: metadata.labels }, spec };
}

function ownOf(spec: any, volume: string): boolean {
  return spec.volumes.some((entry: any) => entry.name === volume && entry.emptyDir);
}
