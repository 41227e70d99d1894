// JSON Schema, as much of it as this API needs. One schema says what is accepted, what OpenAPI tells, and the type.

export type Schema =
  | { readonly type: "string"; readonly minLength?: number; readonly maxLength?: number; readonly format?: string }
  | { readonly type: "integer"; readonly minimum?: number; readonly maximum?: number }
  | { readonly type: "boolean" }
  | { readonly type: "array"; readonly items: Schema; readonly maxItems?: number }
  | ObjectSchema;

export interface ObjectSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

/** The type of what a schema accepts. */
export type Of<S> = S extends { type: "string" }
  ? string
  : S extends { type: "integer" }
    ? number
    : S extends { type: "boolean" }
      ? boolean
      : S extends { type: "array"; items: infer Items }
        ? Of<Items>[]
        : S extends { type: "object"; properties: infer Properties; required: readonly (infer Required)[] }
          ? { [K in keyof Properties as K extends Required ? K : never]: Of<Properties[K]> } & {
              [K in keyof Properties as K extends Required ? never : K]?: Of<Properties[K]>;
            }
          : never;

/** What is wrong with a value, each with where; nothing when it is as the schema says. */
export function problems(schema: Schema, value: unknown, at = ""): string[] {
  const here = at === "" ? "the body" : at;
  switch (schema.type) {
    case "string": {
      if (typeof value !== "string") return [`${here} must be a string`];
      const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
      if (value.length < minLength) return [`${here} must have at least ${minLength} characters`];
      return value.length > maxLength ? [`${here} must have at most ${maxLength} characters`] : [];
    }
    case "integer": {
      if (!Number.isSafeInteger(value)) return [`${here} must be a whole number`];
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      if ((value as number) < minimum) return [`${here} must be at least ${minimum}`];
      return (value as number) > maximum ? [`${here} must be at most ${maximum}`] : [];
    }
    case "boolean":
      return typeof value === "boolean" ? [] : [`${here} must be true or false`];
    case "array": {
      if (!Array.isArray(value)) return [`${here} must be a list`];
      if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) return [`${here} has too many items`];
      return value.flatMap((item, index) => problems(schema.items, item, `${here}[${index}]`));
    }
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${here} must be an object`];
      const given = value as Record<string, unknown>;
      const missing = schema.required.filter((name) => !Object.hasOwn(given, name));
      const found = Object.keys(given).flatMap((name) => {
        if (!Object.hasOwn(schema.properties, name)) return [`'${name}' is not known`];
        return problems(schema.properties[name], given[name], at === "" ? name : `${at}.${name}`);
      });
      return [...missing.map((name) => `'${name}' is missing`), ...found];
    }
  }
}
