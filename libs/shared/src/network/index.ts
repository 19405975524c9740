export * from './way-out.js';
export * from './ways-out.js';
