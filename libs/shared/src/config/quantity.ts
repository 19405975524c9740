const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/**
 * Reads a size: bytes, or a Kubernetes quantity (`8388608`, `8Mi`, `1.5Gi`, `20G`).
 *
 * @returns whole bytes, or null where the text is no size.
 * @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function parseQuantity(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?(?:[eE]\d{1,3})?)([kMGTP]i?|Ki)?$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  if (!match?.[1] || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
