import { OptionError } from "../core/errors.ts";
import type { Json, Layer, LayerConfig } from "./layer.ts";

/** Makes a thing from its configuration; `build` makes the layers inside. */
export type FromConfig<T> = (options: ConfigReader, build: (config: LayerConfig) => Layer) => T;

type Size = number | readonly [number, number];

/** Reads options of a configuration that may come from a damaged file. Every method throws OptionError naming kind and option. */
export class ConfigReader {
  readonly config: LayerConfig;

  constructor(config: LayerConfig) {
    this.config = config;
  }

  private fail(name: string, expected: string): never {
    const given = JSON.stringify(this.config[name]) ?? "nothing";
    throw new OptionError(`${this.config.kind}: got ${given.slice(0, 60)} for ${name}; expected ${expected}.`);
  }

  has(name: string): boolean {
    return this.config[name] !== undefined;
  }

  is(name: string, value: Json): boolean {
    return this.config[name] === value;
  }

  number(name: string): number {
    const value = this.config[name];
    return typeof value === "number" ? value : this.fail(name, "a number");
  }

  text(name: string): string {
    const value = this.config[name];
    return typeof value === "string" ? value : this.fail(name, "text");
  }

  /** A number or a pair of them. */
  size(name: string): Size {
    const value = this.config[name];
    if (typeof value === "number") return value;
    if (!Array.isArray(value) || value.length !== 2) return this.fail(name, "a number or a pair");
    const [a, b] = value as readonly Json[];
    return typeof a === "number" && typeof b === "number" ? [a, b] : this.fail(name, "a number or a pair");
  }

  list(name: string): number[] {
    const value = this.config[name];
    if (!Array.isArray(value)) return this.fail(name, "a list of numbers");
    return value.map((each: Json) => (typeof each === "number" ? each : this.fail(name, "a list of numbers")));
  }

  /** A list of pairs of numbers. */
  pairs(name: string): (readonly [number, number])[] {
    const value = this.config[name];
    if (!Array.isArray(value)) return this.fail(name, "a list of pairs");
    return value.map((each: Json) => {
      const [a, b] = Array.isArray(each) && each.length === 2 ? (each as readonly Json[]) : [];
      return typeof a === "number" && typeof b === "number" ? [a, b] : this.fail(name, "a list of pairs");
    });
  }

  /** A nested configuration. */
  record(name: string): LayerConfig {
    const value = this.config[name] as LayerConfig | undefined;
    return isConfig(value) && typeof value.kind === "string" ? value : this.fail(name, "a record with a kind");
  }

  records(name: string): ConfigReader[] {
    const value = this.config[name];
    if (!Array.isArray(value)) return this.fail(name, "a list of records");
    return value.map((each: Json) =>
      isConfig(each) ? new ConfigReader({ ...each, kind: this.config.kind }) : this.fail(name, "a list of records"),
    );
  }

  /** Those of the named numbers that are there. */
  numbers<N extends string>(...names: readonly N[]): { [K in N]?: number } {
    return this.present(names, (name) => this.number(name));
  }

  booleans<N extends string>(...names: readonly N[]): { [K in N]?: boolean } {
    return this.present(names, (name) => {
      const value = this.config[name];
      return typeof value === "boolean" ? value : this.fail(name, "true or false");
    });
  }

  sizes<N extends string>(...names: readonly N[]): { [K in N]?: Size } {
    return this.present(names, (name) => this.size(name));
  }

  /** Those of the named options that are there: each a number or a list of numbers. */
  shapes<N extends string>(...names: readonly N[]): { [K in N]?: number | number[] } {
    return this.present(names, (name) => (typeof this.config[name] === "number" ? this.number(name) : this.list(name)));
  }

  /** The named option, if it is there, as one of these words. */
  choice<N extends string, const C extends string>(name: N, choices: readonly C[]): { [K in N]?: C } {
    return this.present(
      [name],
      () => choices.find((each) => this.is(name, each)) ?? this.fail(name, choices.join(" or ")),
    );
  }

  private present<N extends string, T>(names: readonly N[], read: (name: N) => T): { [K in N]?: T } {
    const found: { [K in N]?: T } = {};
    for (const name of names) if (this.has(name)) found[name] = read(name);
    return found;
  }
}

function isConfig(value: unknown): value is LayerConfig {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
