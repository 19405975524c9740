import { sessionKey, VolumeError } from '@app/shared/domain';
import type { Watch } from '@app/shared/records';
import type { ScannerParts } from './parts.js';

/** The session that files go to. */
type Session = NonNullable<Watch['session']>;

/** Whether the volume takes the name of the active session for a folder: asked once a session. */
export class SessionFolder {
  private asked: { readonly key: string; readonly fits: boolean } | null = null;

  /** @throws VolumeError where the volume does not answer */
  async fits({ volume, layout }: ScannerParts, session: Session): Promise<boolean> {
    const key = sessionKey(session);
    if (this.asked?.key === key) return this.asked.fits;
    const fits = await volume.lstat(layout.processingFolder(session)).then(
      () => true,
      (error: unknown) => {
        if (error instanceof VolumeError && error.code === 'ENAMETOOLONG') return false;
        throw error;
      },
    );
    this.asked = { key, fits };
    return fits;
  }
}

/** What is said of a session whose folder the volume does not take. */
export function tooLongProblem({ encodedSession }: Session): string {
  return `the session ${JSON.stringify(encodedSession)} takes no file: its name has ${Buffer.byteLength(encodedSession)} bytes as a folder, more than this volume allows; start a session with a shorter name`;
}
