export * from './brakes.js';
export * from './payload.js';
export * from './upload-queue.js';
