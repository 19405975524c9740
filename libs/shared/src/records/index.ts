export * from './events.js';
export * from './history.js';
export * from './incoming.js';
export * from './live.js';
export * from './moves.js';
export * from './sessions.js';
export * from './totals.js';
export * from './trim.js';
