import { hasLabels, labelFaults, mergeLabels, readLabels, type Labels } from '@app/shared/config';
import { parseJson } from '@app/shared/domain';
import type { BlobStore } from './blob-store/blob-store.js';

/** Labels of sessions that are kept in mind. */
const KEPT = 100;

/** The labels of a session, or those with the ones for all files, break a rule of Azure's; names what to change. */
export class UnusableLabels extends Error {
  override readonly name = 'InvalidLabels';
}

/** The labels of files: those for all, and the session's over them; proved once a process before the first file has them. */
export class ProvedLabels {
  private readonly known = new Map<string, Labels>();
  private readonly proved = new WeakSet<Labels>();

  constructor(
    /** Of all files; the start has proved them. */
    readonly all: Labels,
    private readonly store: BlobStore,
  ) {
    this.proved.add(all);
  }

  /**
   * Reads the labels of a session, and merges them over those of all files.
   *
   * @param text JSON as Redis holds it; empty: the session has none
   * @throws UnusableLabels
   */
  read(text: string): Labels {
    if (text === '') return this.all;
    const known = this.known.get(text);
    if (known) return known;
    const own = readLabels(parseJson(text));
    if (Array.isArray(own)) throw new UnusableLabels(own.join('; '));
    const labels = mergeLabels(this.all, own);
    const faults = labelFaults(labels, "with this uploader's settings, labels.");
    if (faults.length > 0) throw new UnusableLabels(faults.join('; '));
    if (this.known.size >= KEPT) this.known.clear();
    this.known.set(text, labels);
    return labels;
  }

  /** Proves that the store takes blobs with these labels. @throws LabelsRefused, StoreError, Interrupted */
  async prove(labels: Labels, signal: AbortSignal): Promise<void> {
    if (this.proved.has(labels) || !hasLabels(labels)) return;
    await this.store.proveLabels(labels, signal);
    this.proved.add(labels);
  }
}
