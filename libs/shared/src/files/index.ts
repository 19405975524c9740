export type { Entry } from './listing.js';
export type { FileCall } from './calls.js';
export * from './volume.js';
export * from './roots.js';
export * from './folding.js';
export type { Reservation } from './reservations.js';
export * from './moment.js';
export * from './staging.js';
export { StagedFile } from './staged-file.js';
