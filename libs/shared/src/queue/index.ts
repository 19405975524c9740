export * from './payload.js';
export * from './upload-queue.js';
