/** The access tiers of a block blob, as Azure writes them: https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview */
export const TIERS = ['Hot', 'Cool', 'Cold', 'Archive'] as const;
/** One of {@link TIERS}. */
export type Tier = (typeof TIERS)[number];

/** What blobs carry beside their bytes, by somebody's choice; empty and null: nothing of that. */
export interface Labels {
  readonly tier: Tier | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly encryptionScope: string | null;
}

/** Labels as the api, Redis and the volume write them. */
export interface WrittenLabels {
  readonly tier?: Tier;
  readonly tags?: Readonly<Record<string, string>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly encryption_scope?: string;
}

/** No labels. */
export const NO_LABELS: Labels = { tier: null, tags: {}, metadata: {}, encryptionScope: null };

/** https://learn.microsoft.com/rest/api/storageservices/set-blob-tags */
const TAGS_MAX = 10;
const TAG_KEY_MAX = 128;
const TAG_VALUE_MAX = 256;
const TAG_TEXT = /^[A-Za-z0-9 +\-./:=_]*$/;
/** https://learn.microsoft.com/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources */
const METADATA_BYTES_MAX = 8192;
/** What Sluice's own metadata takes at the most: a time of nanoseconds, a size, a SHA-256, and their names. */
const OWN_BYTES = 160;
/** Metadata that Sluice writes itself. */
const OWN: ReadonlySet<string> = new Set(['mtime', 'size', 'sha256']);
/** What C# takes as an identifier, and an HTTP header as a name. */
const METADATA_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Blanks at the ends do not survive HTTP, and an empty value is no metadata. */
const METADATA_VALUE = /^[!-~](?:[ -~]*[!-~])?$/;
/** https://learn.microsoft.com/rest/api/storagerp/encryption-scopes/put */
const SCOPE = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** What is wrong with tags, as the end of a sentence; null where Azure takes them. */
export function tagsFault(tags: Readonly<Record<string, string>>): string | null {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX)
    return `has ${entries.length} tags; Azure allows ${TAGS_MAX}, leave some out`;
  for (const [key, value] of entries) {
    if (key === '' || key.length > TAG_KEY_MAX)
      return `has the key ${shown(key)} of ${key.length} characters; 1 to ${TAG_KEY_MAX} are allowed`;
    if (value.length > TAG_VALUE_MAX)
      return `has a value of ${value.length} characters for ${shown(key)}; at most ${TAG_VALUE_MAX} are allowed`;
    if (!TAG_TEXT.test(key) || !TAG_TEXT.test(value))
      return `has a character in ${shown(`${key}=${value}`)} that a tag cannot hold; allowed are letters, digits, blanks and + - . / : = _`;
  }
  return null;
}

/** What is wrong with metadata, as the end of a sentence; null where Azure takes it. */
export function metadataFault(metadata: Readonly<Record<string, string>>): string | null {
  const names = new Set<string>();
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    const lower = name.toLowerCase();
    if (OWN.has(lower)) return `has ${shown(name)}, which Sluice writes itself; take another name`;
    if (!METADATA_NAME.test(name))
      return `has the name ${shown(name)}; allowed are letters, digits and _, no digit first`;
    if (names.has(lower)) return `has ${shown(name)} twice; upper and lower case make no difference`;
    if (!METADATA_VALUE.test(value))
      return `has a value of ${shown(name)} that metadata cannot hold; it must be printable ASCII, not empty, without blanks at its ends`;
    names.add(lower);
    bytes += name.length + value.length;
  }
  return bytes + OWN_BYTES > METADATA_BYTES_MAX
    ? `has ${bytes} bytes of names and values; at most ${METADATA_BYTES_MAX - OWN_BYTES} are allowed beside Sluice's own`
    : null;
}

/** What is wrong with the name of an encryption scope, as the end of a sentence; null where it may be one. */
export function scopeFault(scope: string): string | null {
  return SCOPE.test(scope)
    ? null
    : `is ${shown(scope)}; an encryption scope has 3 to 63 lower-case letters, digits and single hyphens`;
}

/** Reads `key=value,...`. @throws Error that says what is wanted */
export function parsePairs(text: string): Record<string, string> {
  const pairs = text
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair): [string, string] => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Error(`must be key=value,...; ${shown(pair)} is no such pair`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    });
  const read = Object.fromEntries(pairs);
  if (Object.keys(read).length < pairs.length) throw new Error('has a key twice');
  return read;
}

/**
 * Reads and checks labels that came from outside.
 *
 * @returns the labels; or the sentences that say what to change, each with the path of its part
 */
export function readLabels(value: unknown): Labels | string[] {
  if (!isObject(value)) return ['labels must be an object: {"tier", "tags", "metadata", "encryption_scope"}'];
  const { tier = null, tags = null, metadata = null, encryption_scope: scope = null, ...others } = value;
  const faults = Object.keys(others).map(
    (name) => `labels has no ${shown(name)}; it takes tier, tags, metadata and encryption_scope`,
  );
  const found = TIERS.find((candidate) => candidate === tier) ?? null;
  if (tier !== null && found === null) faults.push(`labels.tier must be one of ${TIERS.join(', ')}`);
  if (tags !== null && !isTexts(tags)) faults.push('labels.tags must be an object of texts');
  if (metadata !== null && !isTexts(metadata)) faults.push('labels.metadata must be an object of texts');
  if (scope !== null && typeof scope !== 'string') faults.push('labels.encryption_scope must be a text');
  if (faults.length > 0) return faults;
  const labels = {
    tier: found,
    tags: (tags ?? {}) as Record<string, string>,
    metadata: (metadata ?? {}) as Record<string, string>,
    encryptionScope: scope as string | null,
  };
  const wrong = labelFaults(labels, 'labels.');
  return wrong.length > 0 ? wrong : labels;
}

/** What is wrong with labels, whole sentences. @param prefix before the names of their parts */
export function labelFaults({ tags, metadata, encryptionScope }: Labels, prefix: string): string[] {
  const faults: [name: string, fault: string | null][] = [
    ['tags', tagsFault(tags)],
    ['metadata', metadataFault(metadata)],
    ['encryption_scope', encryptionScope === null ? null : scopeFault(encryptionScope)],
  ];
  return faults.flatMap(([name, fault]) => (fault === null ? [] : [`${prefix}${name} ${fault}`]));
}

/** Labels for all files, and those of a session over them: its tier and scope, and each of its tags and metadata. */
export function mergeLabels(all: Labels, session: Labels): Labels {
  const own = new Set(Object.keys(session.metadata).map((name) => name.toLowerCase()));
  const kept = Object.entries(all.metadata).filter(([name]) => !own.has(name.toLowerCase()));
  return {
    tier: session.tier ?? all.tier,
    tags: { ...all.tags, ...session.tags },
    metadata: { ...Object.fromEntries(kept), ...session.metadata },
    encryptionScope: session.encryptionScope ?? all.encryptionScope,
  };
}

/** Whether there is any label. */
export function hasLabels({ tier, tags, metadata, encryptionScope }: Labels): boolean {
  return (
    tier !== null || encryptionScope !== null || Object.keys(tags).length + Object.keys(metadata).length > 0
  );
}

/** Labels as they are written; what is not given is left out. */
export function writtenLabels({ tier, tags, metadata, encryptionScope }: Labels): WrittenLabels {
  return {
    ...(tier === null ? {} : { tier }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(encryptionScope === null ? {} : { encryption_scope: encryptionScope }),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}
