export * from './health.js';
export * from './logger.js';
export * from './metrics.js';
export * from './probes.js';
export * from './process.js';
export * from './tracing.js';
export * from './version.js';
