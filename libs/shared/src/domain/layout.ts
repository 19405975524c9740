import { join } from 'node:path';
import {
  folderOf,
  reasonFileName,
  shortReasonFileName,
  SESSION_FILE,
  STOPPING_FILE,
  VOLUME_FILE,
} from './names.js';
import type { SessionRef } from './session.js';

/** The roots on the shared volume, absolute paths. */
export interface Roots {
  readonly incoming: string;
  readonly processing: string;
  readonly failed: string;
  /** Where verified sources are kept for a while; missing where they are unlinked. */
  readonly done?: string;
}

/** Every path that Sluice uses on the volume, derived from the roots and from validated names alone. */
export class Layout {
  constructor(readonly roots: Roots) {}

  /** Where a producer drops the file. */
  incoming(filename: string): string {
    return join(this.roots.incoming, filename);
  }

  /** The session's folder for claimed files; with a file's name the folder below it in which that file stands. */
  processingFolder(session: SessionRef, filename = ''): string {
    return join(this.roots.processing, session.datePrefix, session.encodedSession, folderOf(filename));
  }

  /** Where a claimed file stands. */
  processing(session: SessionRef, filename: string): string {
    return join(this.roots.processing, session.datePrefix, session.encodedSession, filename);
  }

  /** The session's folder for quarantined files; with a file's name the folder below it in which that file stands. */
  failedFolder(session: SessionRef, filename = ''): string {
    return join(this.roots.failed, session.datePrefix, session.encodedSession, folderOf(filename));
  }

  /** Where a quarantined file stands. */
  failed(session: SessionRef, filename: string): string {
    return join(this.roots.failed, session.datePrefix, session.encodedSession, filename);
  }

  /** Where a verified source is kept; null where none is. */
  done(session: SessionRef, filename: string): string | null {
    const { done } = this.roots;
    return done === undefined ? null : join(done, session.datePrefix, session.encodedSession, filename);
  }

  /** The reason beside a quarantined file: where it stands, and where it does on a volume that finds that name too long. */
  reasons(session: SessionRef, filename: string): readonly [whole: string, short: string] {
    const folder = this.failedFolder(session, filename);
    return [join(folder, reasonFileName(filename)), join(folder, shortReasonFileName(filename))];
  }

  /** The volume's identity, made by the scanner alone. */
  get volumeFile(): string {
    return join(this.roots.processing, VOLUME_FILE);
  }

  /** The active session, written by the scanner alone. */
  get sessionFile(): string {
    return join(this.roots.processing, SESSION_FILE);
  }

  /** The files that a session takes before it stops, written by the scanner alone. */
  get stoppingFile(): string {
    return join(this.roots.processing, STOPPING_FILE);
  }
}
