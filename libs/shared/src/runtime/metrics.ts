import { collectDefaultMetrics, Registry } from 'prom-client';

/** The registry of one process, with Node's own metrics in it. */
export function createRegistry(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry });
  return registry;
}
