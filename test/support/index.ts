export * from './bytes.js';
export * from './child.js';
export * from './nfs-lab.js';
export * from './proxy.js';
export * from './services.js';
export * from './tcp-proxy.js';
export * from './until.js';
export * from './world.js';
