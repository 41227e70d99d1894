/**
 * From families to text: OpenMetrics 1.0, or Prometheus's older format for who asks for that. prom-client's registry
 * writes it. Its own Counter and Histogram keep their values and are raised by calls, which the hot path should not pay
 * for; so what is registered are objects of ours with the one method that the registry calls, `get`.
 */
import { createRequire } from "node:module";
import type { Metric, Registry, RegistryContentType } from "prom-client";
import type { Family } from "./family.ts";

export type Format = "openmetrics" | "prometheus";

export class Exposition {
  readonly #registries: Readonly<Record<Format, Registry<RegistryContentType>>>;

  constructor(families: readonly Family[]) {
    const { Registry } = loadLibrary();
    // A registry for each: prom-client renames counters when it writes OpenMetrics, and does not rename them back.
    const registry = (contentType: RegistryContentType, openMetrics: boolean) => {
      const made = new Registry<RegistryContentType>();
      made.setContentType(contentType);
      for (const family of families) made.registerMetric(asMetric(family, openMetrics));
      return made;
    };
    this.#registries = {
      openmetrics: registry(Registry.OPENMETRICS_CONTENT_TYPE, true),
      prometheus: registry(Registry.PROMETHEUS_CONTENT_TYPE, false),
    };
  }

  /** All values as they are now: they are read before this returns, though the text comes later. */
  text(format: Format): Promise<string> {
    return this.#registries[format].metrics();
  }

  contentType(format: Format): string {
    return this.#registries[format].contentType;
  }
}

function asMetric(family: Family, openMetrics: boolean): Metric<string> {
  const { help } = family;
  const shape = shapeOf(family, openMetrics);
  const metric = {
    name: shape.name,
    type: shape.type,
    help,
    reset() {},
    async get() {
      return { name: shape.name, help, type: shape.type, aggregator: "sum", values: read(family, shape.sample) };
    },
  };
  return metric as unknown as Metric<string>;
}

interface Shape {
  readonly name: string;
  readonly type: string;
  readonly sample: string;
}

/** In OpenMetrics a family's name has no suffix and its samples' names do; in the older format both have it. */
function shapeOf({ name, type }: Family, openMetrics: boolean): Shape {
  switch (type) {
    case "counter":
      // The registry adds "_total" to OpenMetrics counters by itself.
      return openMetrics ? { name, type, sample: name } : { name: `${name}_total`, type, sample: `${name}_total` };
    case "info":
      // The older format has no such type; a gauge that is 1 is the custom there.
      return openMetrics
        ? { name, type, sample: `${name}_info` }
        : { name: `${name}_info`, type: "gauge", sample: `${name}_info` };
    default:
      return { name, type, sample: name };
  }
}

function read(family: Family, sample: string): object[] {
  try {
    return Array.from(family.read(), ({ labels, value, suffix = "" }) => ({
      metricName: sample + suffix,
      labels: labels ?? {},
      value,
    }));
  } catch {
    // The system does not tell, for lack of a descriptor say: the other families are worth having all the same.
    return [];
  }
}

function loadLibrary(): typeof import("prom-client") {
  // The bundler of our executable understands only the first form, Node's ES modules only the second.
  return typeof require === "function" ? require("prom-client") : createRequire(import.meta.url)("prom-client");
}
