/** Hook of Node's loader: a test's TypeScript is CommonJS, which `require` loads. */
export async function load(url, context, next) {
  if (!new URL(url).pathname.endsWith('.ts')) return next(url, context);
  return { format: 'commonjs', source: null, shortCircuit: true };
}
