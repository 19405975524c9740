import {
  decideStability,
  fileOfSidecar,
  lastPart,
  type FileLook,
  type Observation,
  sidecarNames,
  VolumeError,
} from '@app/shared/domain';
import type { Entries } from './entries.js';
import { UNDER_WAY } from './held.js';
import { lookAtMany } from './looks.js';
import type { ScannerParts } from './parts.js';
import type { ScanMemory } from './scan-memory.js';
import { putAside, type Taker } from './take.js';

/** Any volume takes the name of a checksum beside a file whose own has no more bytes: eCryptfs takes 143. */
const LONG = 139;
/** Checksums without their files that one scan looks for and shows. */
const SHOWN = 1_000;
const OF_QUARANTINED = 'held: it is the checksum of a file that is quarantined, and goes with it at a retry';

/** The producers' checksums that one listing found, apart from the files that they are beside. */
export class Sidecars {
  private readonly byFile = new Map<string, string[]>();

  constructor(private readonly parts: ScannerParts) {}

  /** Takes a name of the listing. @returns whether it is a sidecar, and no file of its own */
  offer(name: string): boolean {
    const file = this.parts.rules.sidecars === 'off' ? null : fileOfSidecar(name);
    if (file === null) return false;
    const names = this.byFile.get(file);
    if (names) names.push(name);
    else this.byFile.set(file, [name]);
    return true;
  }

  /**
   * Of files at rest those that may go: with their sidecars, which must rest too, or without where that is allowed. The
   * others are put aside, and it is said what they wait for.
   *
   * @throws VolumeError
   */
  async complete(memory: ScanMemory, takers: readonly Taker[], entries: Entries): Promise<Taker[]> {
    const { rules, volume, layout } = this.parts;
    if (rules.sidecars === 'off') return [...takers];
    const names = takers.flatMap(({ name }) => this.byFile.get(name) ?? []);
    const found = await lookAtMany(volume, layout.roots.incoming, names);
    const looks = new Map(names.map((name, i) => [name, found[i] ?? null]));
    const seen = new Map<string, Observation>();
    const roomless = await this.withoutRoom(takers);
    const complete = takers.flatMap((taker): Taker[] => {
      const own = (this.byFile.get(taker.name) ?? []).filter((name) => looks.get(name) !== null);
      const waits = rules.sidecars === 'required' && own.length === 0 && !roomless.has(taker.name);
      const none = waits ? missing(taker.name) : null;
      const why = own.reduce(
        (before, name) => before ?? this.waitsFor(memory, name, looks.get(name) ?? null, seen),
        none,
      );
      if (why === null) return [own.length === 0 ? taker : { ...taker, sidecars: own }];
      entries.note(taker.name, 'settling', `settling: ${why}`, { size: taker.look.size });
      putAside(memory, taker);
      return [];
    });
    memory.sidecars = seen;
    return complete;
  }

  /**
   * Those that must have a checksum and can have none, since the volume takes no name for it: they would wait for ever, and go
   * to an uploader, which quarantines them. @throws VolumeError
   */
  private async withoutRoom(takers: readonly Taker[]): Promise<Set<string>> {
    const { rules, volume, layout } = this.parts;
    if (rules.sidecars !== 'required') return new Set();
    const long = takers.filter(
      ({ name }) => !this.byFile.has(name) && Buffer.byteLength(lastPart(name)) > LONG,
    );
    // the last one is the shortest
    const names = long.map(({ name }) => sidecarNames(name).at(-1)?.name ?? name);
    const looks = await lookAtMany(volume, layout.roots.incoming, names);
    return new Set(
      long.flatMap(({ name }, i) => {
        const look = looks[i];
        const isTooLong = look instanceof VolumeError && look.code === 'ENAMETOOLONG';
        return isTooLong || names[i] === name ? [name] : [];
      }),
    );
  }

  /** Why a file waits for one of its sidecars, or null. */
  private waitsFor(
    memory: ScanMemory,
    name: string,
    look: FileLook | VolumeError | null,
    seen: Map<string, Observation>,
  ): string | null {
    const { rules, clock } = this.parts;
    if (look === null) return null;
    if (look instanceof Error) return `its checksum ${name} cannot be looked at: ${look.code}`;
    if (look.kind !== 'file')
      return `its checksum ${name} is a ${look.kind}, not a plain file; replace it, or take it away`;
    const rule = { minAgeMs: rules.minFileAgeMs, apartMs: rules.pollIntervalMs / 2 };
    const verdict = decideStability(memory.sidecars.get(name) ?? null, look, clock.now(), rule);
    seen.set(name, verdict.observation);
    return verdict.stable ? null : `its checksum ${name} does not rest yet`;
  }

  /**
   * Shows checksums that are beside no file: those of files that are under way or quarantined are held, others ignored.
   *
   * @param examined files that this scan looked at
   * @returns how many are held
   * @throws VolumeError
   */
  async showAlone(memory: ScanMemory, examined: readonly string[], entries: Entries): Promise<number> {
    if (this.byFile.size === 0) return 0;
    const heldBefore = entries.counts.held;
    const here = new Set(examined);
    const alone = [...this.byFile.keys()]
      .filter((file) => !here.has(file) && !memory.enqueued.has(file))
      .sort()
      .slice(0, SHOWN);
    const looks = await lookAtMany(this.parts.volume, this.parts.layout.roots.incoming, alone);
    for (const [i, file] of alone.entries()) {
      if (looks[i] !== null) continue;
      const place = memory.standing.get(file)?.place;
      for (const name of this.byFile.get(file) ?? [])
        if (place === 'failed') entries.note(name, 'held', OF_QUARANTINED);
        else if (place === 'processing') entries.note(name, 'held', UNDER_WAY);
        else entries.note(name, 'ignored', `ignored: it is the checksum of ${file}, which is not here`);
    }
    return entries.counts.held - heldBefore;
  }
}

function missing(name: string): string {
  const names = sidecarNames(name).map((sidecar) => sidecar.name);
  return `it waits for its checksum, ${names.join(' or ')} (APP_SIDECAR_CHECKSUMS is required)`;
}
