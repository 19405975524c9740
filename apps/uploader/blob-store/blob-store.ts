import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { RestError, type BlockBlobClient, type ContainerClient } from '@azure/storage-blob';
import { blobName, blockId, StoreError, type ListedBlock, type SessionRef } from '@app/shared/domain';
import type { Labels } from '@app/shared/config';
import { PROXY_ASKS } from '@app/shared/network';
import { LabelsRefused, saysNo, serviceCode, statusOf, storeError } from './errors.js';
import type { BodyDigests } from './pipeline.js';
import {
  PLAIN_LABELS,
  writeOptions,
  type BlobLabels,
  type WriteCondition,
  type WriteResult,
} from './writes.js';

/** The name that write probes stage a block under; never committed, so it is never seen. */
const PROBE_BLOB = '.sluice-probe';
/** An ETag that no blob has. */
const NO_ETAG = '"0x0"';
/** Clients kept for the next step of their file: making one for each step was a twentieth of a small file's cost. */
const CLIENTS_KEPT = 256;

/** What the store holds under a name. */
export interface StoredBlob {
  /** Null where nothing is committed. */
  readonly etag: string | null;
  /** Bytes committed. */
  readonly size: number;
  readonly committed: readonly ListedBlock[];
  readonly uncommitted: readonly ListedBlock[];
}

/** What a look at a committed blob shows. */
export interface BlobFacts {
  /** Without its quotes. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  /** Null where the service names none, as for premium accounts. */
  readonly tier: string | null;
  /** Whether the tier is the account's own, and nobody chose it. */
  readonly tierInferred: boolean;
  /** Its Content-MD5, hex: a label that anybody may have set; null where it has none. */
  readonly md5: string | null;
}

/** A file name that Azure would store under another name. */
export class ChangedBlobName extends Error {
  override readonly name = 'InvalidBlobName';
}

/**
 * The container, in our terms: every call throws StoreError or Interrupted, every write is conditional. The SDK's
 * `uploadFile` is not used: it can neither resume nor carry a checksum per block, hangs on a file that shrinks and ends
 * the process on a directory; its own `stageBlock` and `commitBlockList` are.
 */
export class BlobStore {
  private readonly clients = new Map<string, BlockBlobClient>();

  constructor(
    private readonly container: ContainerClient,
    private readonly digests: BodyDigests,
  ) {}

  /**
   * The URL of a file's blob.
   *
   * @throws ChangedBlobName where the client would send another name than was asked for
   */
  url(session: SessionRef, filename: string): string {
    return this.client(blobName(session, filename)).url;
  }

  /** The URL under which a session's blobs stand. */
  prefixUrl(session: SessionRef): string {
    return this.client(blobName(session, 'x')).url.slice(0, -1);
  }

  /** Proves that this process may write: stages one block that is never committed. Safe to repeat. */
  async probe(signal?: AbortSignal): Promise<void> {
    const block = Buffer.from('sluice');
    await this.call('write probe', () =>
      this.container
        .getBlockBlobClient(PROBE_BLOB)
        .stageBlock(blockId(0, new Uint8Array(16)), block, block.length, { abortSignal: signal }),
    );
  }

  /**
   * Proves that blobs with these labels may be written: puts one under a condition that never holds, which the service
   * looks at last, so nothing is written; and stages a block in their encryption scope. Safe to repeat.
   *
   * @throws LabelsRefused where the service says no; StoreError where no answer of it came, Interrupted
   */
  async proveLabels(labels: Labels, signal?: AbortSignal): Promise<void> {
    const bytes = Buffer.from('sluice');
    const { encryptionScope } = labels;
    try {
      if (encryptionScope !== null)
        await this.call('write probe with an encryption scope', () =>
          this.container
            .getBlockBlobClient(`${PROBE_BLOB}-${encryptionScope}`)
            .stageBlock(blockId(0, new Uint8Array(16)), bytes, bytes.length, {
              abortSignal: signal,
              encryptionScope,
            }),
        );
      await this.write('write probe with labels', async () => {
        const options = writeOptions({ ...PLAIN_LABELS, ...labels }, { etag: NO_ETAG });
        await this.container
          .getBlockBlobClient(PROBE_BLOB)
          .upload(bytes, bytes.length, { ...options, abortSignal: signal });
        return { written: false };
      });
    } catch (error) {
      if (!(error instanceof StoreError && saysNo(error))) throw error;
      if (error.code !== 'BlobNotFound') throw new LabelsRefused(error, labels);
    }
  }

  /** Makes the container where it is missing. Safe to repeat. */
  async createContainer(): Promise<void> {
    await this.call('create container', () => this.container.createIfNotExists());
  }

  /** Reads what is there under a name: committed and uncommitted blocks in one call. */
  async read(blob: string, signal: AbortSignal): Promise<StoredBlob> {
    try {
      const list = await this.client(blob).getBlockList('all', { abortSignal: signal });
      const committed = (list.committedBlocks ?? []).map(listed);
      const size = list.blobContentLength ?? committed.reduce((sum, block) => sum + block.size, 0);
      // Azurite 3.35 sends an ETag also where nothing is committed; Azure does not
      const doubtful = committed.length === 0 && size === 0;
      const etag = doubtful ? (await this.properties(blob, signal))?.etag : list.etag;
      return { etag: etag ?? null, size, committed, uncommitted: (list.uncommittedBlocks ?? []).map(listed) };
    } catch (error) {
      if (statusOf(error) === 404 && error instanceof RestError && serviceCode(error) === 'BlobNotFound')
        return { etag: null, size: 0, committed: [], uncommitted: [] };
      throw storeError(error, 'get block list');
    }
  }

  /** ETag and bytes of a committed blob, also of an archived one; null where there is none. */
  async properties(blob: string, signal: AbortSignal): Promise<{ etag: string; size: number } | null> {
    try {
      const found = await this.client(blob).getProperties({ abortSignal: signal });
      return { etag: found.etag ?? '', size: found.contentLength ?? 0 };
    } catch (error) {
      if (statusOf(error) === 404 && error instanceof RestError && serviceCode(error) === 'BlobNotFound')
        return null;
      throw storeError(error, 'get blob properties');
    }
  }

  /** Looks at a committed blob without reading it; null where there is none. */
  async look(blob: string, signal: AbortSignal): Promise<BlobFacts | null> {
    try {
      const found = await this.client(blob).getProperties({ abortSignal: signal });
      return {
        etag: (found.etag ?? '').replace(/^"|"$/g, ''),
        size: found.contentLength ?? 0,
        tier: found.accessTier ?? null,
        tierInferred: found.accessTierInferred ?? false,
        md5: found.contentMD5 ? Buffer.from(found.contentMD5).toString('hex') : null,
      };
    } catch (error) {
      if (statusOf(error) === 404 && error instanceof RestError && serviceCode(error) === 'BlobNotFound')
        return null;
      throw storeError(error, 'get blob properties');
    }
  }

  /**
   * Bytes of a blob as they come, while it is the one of this ETag.
   *
   * @param etag without quotes
   * @param size at least 1
   * @throws StoreError, with status 412 where the blob is another one by now
   */
  async *bytes(
    blob: string,
    etag: string,
    from: number,
    size: number,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const options = { conditions: { ifMatch: `"${etag}"` }, abortSignal: signal };
    try {
      const answer = await this.client(blob).download(from, size, options);
      for await (const piece of answer.readableStreamBody ?? []) yield piece as Buffer;
    } catch (error) {
      throw storeError(error, 'get blob');
    }
  }

  /** The names of all blobs that begin so, by one request; null where there are more than it answers with. */
  async namesUnder(beginning: string, signal: AbortSignal): Promise<ReadonlySet<string> | null> {
    return this.call('list blobs', async () => {
      const pages = this.container.listBlobsFlat({ prefix: beginning, abortSignal: signal }).byPage();
      for await (const { continuationToken, segment } of pages)
        return continuationToken ? null : new Set(segment.blobItems.map(({ name }) => name));
      return new Set();
    });
  }

  /**
   * The MD5 of a blob's bytes, read back, where it was stored by one Put Blob (it has no block list) and has this size;
   * null otherwise. For a blob that may not be overwritten: what it carries as Content-MD5 may be anybody's label.
   */
  async md5OfSinglePut(blob: string, size: number, signal: AbortSignal): Promise<Uint8Array | null> {
    const there = await this.read(blob, signal);
    if (there.etag === null || there.committed.length > 0 || there.size !== size) return null;
    const conditions = { ifMatch: there.etag };
    return this.call('get blob', async () => {
      const answer = await this.client(blob).download(0, undefined, { conditions, abortSignal: signal });
      const md5 = createHash('md5');
      for await (const chunk of answer.readableStreamBody ?? []) md5.update(chunk);
      return md5.digest();
    });
  }

  /**
   * Stages one block; the service checks its bytes against `md5`, taken when they were read from the drop folder. A blob is
   * committed of blocks of its own encryption scope alone. Safe to repeat.
   */
  async putBlock(
    blob: string,
    id: string,
    bytes: Buffer,
    md5: Uint8Array,
    signal: AbortSignal,
    encryptionScope: string | null = null,
  ): Promise<void> {
    const options = {
      transactionalContentMD5: md5,
      abortSignal: signal,
      ...(encryptionScope === null ? {} : { encryptionScope }),
    };
    await this.call('put block', () => this.client(blob).stageBlock(id, bytes, bytes.length, options));
  }

  /** Commits blocks as the blob's content. A timed-out call may have succeeded: read before it is repeated. */
  async commit(
    blob: string,
    ids: string[],
    labels: BlobLabels,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    return this.write('put block list', async () => {
      const options = { ...writeOptions(labels, condition), abortSignal: signal };
      const answer = await this.client(blob).commitBlockList(ids, options);
      return { written: true, etag: answer.etag ?? '', md5: null };
    });
  }

  /** Stores a whole small file; the service refuses the body unless its MD5 is `md5`, before it commits. */
  async putWhole(
    blob: string,
    bytes: Buffer,
    md5: Uint8Array,
    labels: BlobLabels,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    this.digests.set(bytes, md5);
    return this.write('put blob', async () => {
      // the label must not go along: x-ms-blob-content-md5 would be stored instead of being checked
      const options = { ...writeOptions({ ...labels, md5: null }, condition), abortSignal: signal };
      const answer = await this.client(blob).upload(bytes, bytes.length, options);
      return { written: true, etag: answer.etag ?? '', md5: answer.contentMD5 ?? null };
    });
  }

  /**
   * Whether what is committed may be kept for ever: the container is under a policy or a legal hold, keeps versions that
   * are immutable, or does not say so to us.
   *
   * @throws StoreError where no answer came, Interrupted
   */
  async mayBeImmutable(signal: AbortSignal): Promise<boolean> {
    try {
      const found = await this.container.getProperties({ abortSignal: signal });
      // the third is not sent by services that know no such versions, as Azurite
      const { hasImmutabilityPolicy, hasLegalHold, isImmutableStorageWithVersioningEnabled } = found;
      return (
        hasImmutabilityPolicy !== false ||
        hasLegalHold !== false ||
        isImmutableStorageWithVersioningEnabled === true
      );
    } catch (caught) {
      const error = storeError(caught, 'get container properties');
      if (saysNo(error) && !(error instanceof StoreError && error.status === PROXY_ASKS)) return true;
      throw error;
    }
  }

  /**
   * Clears uncommitted blocks whose ids have another length than ours, which the service would not let stand together.
   * A committed blob is committed anew with its own list; where nothing is committed, an empty blob is made and removed:
   * never to be called where {@link mayBeImmutable}.
   *
   * @returns false where that cannot be done without harm: a blob without a block list, or one that changed meanwhile
   */
  async clearForeignBlocks(blob: string, stored: StoredBlob, signal: AbortSignal): Promise<boolean> {
    const client = this.client(blob);
    if (stored.etag === null) {
      const made = await this.commit(blob, [], PLAIN_LABELS, { absent: true }, signal);
      if (!made.written) return false;
      await this.call('delete blob', () =>
        client.delete({ conditions: { ifMatch: made.etag }, abortSignal: signal }),
      );
      return true;
    }
    if (stored.committed.length === 0) return false;
    const found = await this.call('get blob properties', () => client.getProperties({ abortSignal: signal }));
    const tags =
      (found.tagCount ?? 0) > 0
        ? (await this.call('get tags', () => client.getTags({ abortSignal: signal }))).tags
        : undefined;
    const kept = await this.write('put block list', async () => {
      const answer = await client.commitBlockList(
        stored.committed.map((block) => block.id),
        {
          abortSignal: signal,
          conditions: { ifMatch: stored.etag ?? '' },
          metadata: found.metadata,
          tags,
          tier: found.accessTierInferred ? undefined : found.accessTier,
          encryptionScope: found.encryptionScope,
          blobHTTPHeaders: {
            blobContentType: found.contentType,
            blobContentMD5: found.contentMD5,
            blobContentEncoding: found.contentEncoding,
            blobContentLanguage: found.contentLanguage,
            blobContentDisposition: found.contentDisposition,
            blobCacheControl: found.cacheControl,
          },
        },
      );
      return { written: true, etag: answer.etag ?? '', md5: null };
    });
    return kept.written;
  }

  private client(blob: string): BlockBlobClient {
    const known = this.clients.get(blob);
    if (known) return known;
    const client = this.container.getBlockBlobClient(blob);
    if (client.name !== blob)
      throw new ChangedBlobName(`the store would hold "${client.name}" instead of "${blob}"`);
    if (this.clients.size >= CLIENTS_KEPT) this.clients.clear();
    this.clients.set(blob, client);
    return client;
  }

  private async call<T>(doing: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw storeError(error, doing);
    }
  }

  private async write(doing: string, request: () => Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await request();
    } catch (error) {
      const status = statusOf(error);
      const code = error instanceof RestError ? serviceCode(error) : undefined;
      if (status === 409 && (code === 'BlobAlreadyExists' || code === 'UnauthorizedBlobOverwrite'))
        return { written: false };
      if (status === 412 && (code === 'ConditionNotMet' || code === 'TargetConditionNotMet'))
        return { written: false };
      throw storeError(error, doing);
    }
  }
}

/** Lets many requests share one abort signal without Node's warning of a leak. */
export function sharedSignal(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal);
  return signal;
}

function listed(block: { name: string; size: number }): ListedBlock {
  return { id: block.name, size: block.size };
}
