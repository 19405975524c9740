/**
 * Sizes Node's thread pool, before anything else is loaded: it is made at the first use of it. Four files that are staged
 * write and sync at once, and four threads are left for all else; with Node's own four, reads for uploads and DNS would
 * wait for the staging disk.
 */
// eslint-disable-next-line no-restricted-properties -- set for Node itself, and no setting of ours
process.env.UV_THREADPOOL_SIZE ??= '12';
