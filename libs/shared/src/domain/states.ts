/** The states a file can be in, as `GET /v1/files` names them. */
export const FILE_STATES = [
  'settling',
  'held',
  'ignored',
  'queued',
  'active',
  'delayed',
  'failed',
  'done',
] as const;
/** One of {@link FILE_STATES}. */
export type FileState = (typeof FILE_STATES)[number];

/** One move of a file from a state to another: who does it, and when. */
export interface Transition {
  readonly from: FileState | 'dropped' | 'gone';
  readonly to: FileState | 'gone';
  readonly by: 'scanner' | 'uploader' | 'operator' | 'producer';
  readonly when: string;
}

/** Every move there is. The diagram in the docs is made from this table, and a test walks it. */
export const TRANSITIONS: readonly Transition[] = [
  { from: 'dropped', to: 'settling', by: 'scanner', when: 'a scan sees the file for the first time' },
  { from: 'dropped', to: 'ignored', by: 'scanner', when: 'it is no plain file, or its name is not taken' },
  { from: 'settling', to: 'queued', by: 'scanner', when: 'two looks agree and it is old enough' },
  { from: 'settling', to: 'held', by: 'scanner', when: 'a file of its name is under way or quarantined' },
  {
    from: 'held',
    to: 'settling',
    by: 'scanner',
    when: 'the first of its name is through, retried or removed',
  },
  { from: 'settling', to: 'gone', by: 'producer', when: 'the producer takes it back' },
  { from: 'held', to: 'gone', by: 'producer', when: 'the producer takes it back' },
  { from: 'ignored', to: 'gone', by: 'producer', when: 'it is renamed or taken away' },
  { from: 'queued', to: 'active', by: 'uploader', when: 'an uploader begins an attempt' },
  { from: 'active', to: 'done', by: 'uploader', when: 'the blob is verified and the receipt is written' },
  {
    from: 'active',
    to: 'delayed',
    by: 'uploader',
    when: 'an attempt failed, an outage began, or it settles again',
  },
  { from: 'delayed', to: 'active', by: 'uploader', when: 'the delay is over' },
  { from: 'active', to: 'queued', by: 'uploader', when: 'the uploader shuts down or died' },
  { from: 'active', to: 'failed', by: 'uploader', when: 'it is quarantined' },
  { from: 'active', to: 'gone', by: 'uploader', when: 'nothing of it is left on the volume' },
  { from: 'failed', to: 'queued', by: 'operator', when: 'it is retried' },
  { from: 'failed', to: 'gone', by: 'operator', when: 'the quarantined file is removed by hand' },
  { from: 'dropped', to: 'queued', by: 'scanner', when: 'recovery finds a claimed file without a job' },
  { from: 'dropped', to: 'failed', by: 'scanner', when: 'recovery finds a quarantined file without a job' },
];

/** The steps of a file that an uploader is at, in their order; the names that the api shows. */
export const FILE_STEPS = ['claiming', 'staging', 'uploading', 'verifying', 'removing'] as const;
/** One of {@link FILE_STEPS}. */
export type FileStep = (typeof FILE_STEPS)[number];
