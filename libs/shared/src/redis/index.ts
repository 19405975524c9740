export * from './channel.js';
export * from './checks.js';
export * from './connection.js';
export * from './faults.js';
export * from './loss.js';
export * from './refusals.js';
export * from './replicas.js';
export * from './script.js';
