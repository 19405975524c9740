import { BlockList } from 'node:net';
import { of } from './manifests.js';

/** One end of a connection: a pod by its labels and its namespace's name, or an address outside. */
export type Peer =
  { readonly address: string } | { readonly namespace: string; readonly labels: Record<string, string> };

/** Whether the pods with these labels may open a connection, as the network policies of a render say. */
export function mayReach(
  manifests: readonly any[],
  labels: Record<string, string>,
  to: Peer,
  port: number,
): boolean {
  return rulesFor(manifests, labels, 'egress').some(
    (rule) => portsOf(rule).includes(port) && rule.to.some((peer: any) => matches(peer, to)),
  );
}

/** Whether a pod elsewhere may open a connection to the pods with these labels. */
export function mayEnter(
  manifests: readonly any[],
  labels: Record<string, string>,
  from: Peer,
  port: number | string,
): boolean {
  return rulesFor(manifests, labels, 'ingress').some(
    (rule) => portsOf(rule).includes(port) && rule.from.some((peer: any) => matches(peer, from)),
  );
}

const portsOf = (rule: any): (number | string)[] => rule.ports.map((entry: any) => entry.port);

function rulesFor(manifests: readonly any[], labels: Record<string, string>, way: string): any[] {
  return of(manifests, 'NetworkPolicy')
    .filter(({ spec }) => selects(spec.podSelector, labels))
    .flatMap(({ spec }) => spec[way] ?? []);
}

function selects(selector: any, labels: Record<string, string>): boolean {
  const pairs = Object.entries(selector.matchLabels ?? {});
  const lists: any[] = selector.matchExpressions ?? [];
  return (
    pairs.every(([key, value]) => labels[key] === value) &&
    lists.every(({ key, values }) => values.includes(labels[key]))
  );
}

function matches(peer: any, end: Peer): boolean {
  if (peer.ipBlock) return 'address' in end && contains(peer.ipBlock.cidr, end.address);
  if ('address' in end) return false;
  const names = { 'kubernetes.io/metadata.name': end.namespace };
  const there = peer.namespaceSelector ? selects(peer.namespaceSelector, names) : end.namespace === '';
  return there && selects(peer.podSelector ?? {}, end.labels);
}

function contains(cidr: string, address: string): boolean {
  const [network = '', bits] = cidr.split('/');
  const family = network.includes(':') ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
