export * from './brakes.js';
export * from './bullmq-keys.js';
export * from './payload.js';
export * from './upload-queue.js';
