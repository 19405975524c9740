export * from './heartbeat.js';
export * from './lease.js';
