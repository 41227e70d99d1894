/** `Deno.permissions`: everything is granted, and stays so. There is no sandbox that could be narrowed. */

const kinds: ReadonlySet<unknown> = new Set(["read", "write", "net", "env", "sys", "run", "ffi", "import"]);
interface Descriptor {
  readonly name: string;
}

/** Handed to the constructors: programs get these objects, and make none. */
const ours = Symbol("Slipway's own");

export class PermissionStatus extends EventTarget {
  onchange: ((event: Event) => unknown) | null = null;

  constructor(...key: symbol[]) {
    super();
    if (key[0] !== ours) throw new TypeError("Illegal constructor");
  }
  get state(): "granted" {
    return "granted";
  }
  get partial(): boolean {
    return false;
  }
}

export class Permissions {
  constructor(...key: symbol[]) {
    if (key[0] !== ours) throw new TypeError("Illegal constructor");
  }
  async query(descriptor: Descriptor): Promise<PermissionStatus> {
    return this.querySync(descriptor);
  }
  querySync(descriptor: Descriptor): PermissionStatus {
    return status(descriptor);
  }
  async request(descriptor: Descriptor): Promise<PermissionStatus> {
    return status(descriptor);
  }
  requestSync(descriptor: Descriptor): PermissionStatus {
    return status(descriptor);
  }
  async revoke(descriptor: Descriptor): Promise<PermissionStatus> {
    return status(descriptor);
  }
  revokeSync(descriptor: Descriptor): PermissionStatus {
    return status(descriptor);
  }
}

/** One for each permission, as in Deno: listeners stay where they were put. */
const known = new Map<string, PermissionStatus>();

function status(descriptor: Descriptor): PermissionStatus {
  if (!kinds.has(descriptor?.name)) {
    throw new TypeError(`The provided value "${descriptor?.name}" is not a valid permission name`);
  }
  const key = JSON.stringify(Object.entries(descriptor).map(([name, value]) => [name, String(value)]));
  let found = known.get(key);
  if (found === undefined) known.set(key, (found = new PermissionStatus(ours)));
  return found;
}

export const permissions = (): Permissions => new Permissions(ours);
