/** Preloaded into an app: its wall clock is so many milliseconds ahead of the system's, which stamps files. */
const shiftMs = Number(process.env.TEST_CLOCK_SHIFT_MS ?? 0);
const now = Date.now.bind(Date);
Date.now = () => now() + shiftMs;
