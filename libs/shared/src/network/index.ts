export * from './ways-out.js';
