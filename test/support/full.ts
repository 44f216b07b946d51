/** Whether tests that repeat something many times do so in full: `npm run test:full`, which CI runs, too. */
export const full = process.env.KONG_TS_TESTS === 'full';
