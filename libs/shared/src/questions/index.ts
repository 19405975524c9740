export * from './answering.js';
export * from './questions.js';
