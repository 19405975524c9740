export type { Entry } from './listing.js';
export type { FileCall } from './threads.js';
export * from './volume.js';
export * from './roots.js';
export type { Reservation } from './reservations.js';
export * from './staging.js';
