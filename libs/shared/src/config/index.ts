export * from './document.js';
export * from './labels.js';
export * from './parse.js';
export * from './proxies.js';
export * from './quantity.js';
export * from './redis-url.js';
export * from './rules.js';
export * from './schema.js';
