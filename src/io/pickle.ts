/** Python's pickle, of plain data alone: nothing is ever called but the functions that the reader is given, by name. */

/** What stands in a pickle in a name's place, such as `torch._utils._rebuild_tensor_v2`. */
export class PickledName {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

export type UnpickleOptions = {
  /** What a call gives, by the name that is called. All other names are refused where they stand. */
  readonly calls: ReadonlyMap<string, (args: readonly unknown[]) => unknown>;
  /** Names that stand for themselves. */
  readonly names: ReadonlySet<string>;
  /** What a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown;
  /** Throws, with the byte. */
  readonly fail: (text: string, at: number) => never;
};

/** Deeper data is refused. */
const MAX_DEPTH = 100;
const MARK = Symbol("mark");

/**
 * The plain data of a pickle of protocol 2 to 5: numbers, texts, truth values and null as themselves, lists and tuples as
 * arrays, dictionaries as maps. Not: sets, bytes, integers past 2^53, objects of classes, data that holds itself.
 */
export function unpickle(bytes: Uint8Array, { calls, names, persistent, fail }: UnpickleOptions): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const memo = new Map<number, unknown>();
  const stack: unknown[] = [];
  let at = 0;
  let op = 0;
  const need = (count: number): number => {
    if (at + count > bytes.length) fail("ends in the middle of its data.", at);
    at += count;
    return at - count;
  };
  const text = (count: number): string => {
    const from = need(count);
    return new TextDecoder().decode(bytes.slice(from, from + count));
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    if (end < 0) fail("has a name without an end.", at);
    const found = text(end - at);
    at++;
    return found;
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) fail("takes a value where there is none.", op);
    return stack.pop();
  };
  const toMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) fail("has no mark where one is taken.", op);
    const values = stack.splice(mark + 1);
    stack.pop();
    return values;
  };
  const top = (): unknown => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const recall = (index: number): unknown => {
    if (!memo.has(index)) fail(`recalls value ${index}, which it did not keep.`, op);
    return memo.get(index);
  };
  const globalOf = (module: string, name: string): PickledName => {
    const full = `${module}.${name}`;
    if (!calls.has(full) && !names.has(full))
      fail(
        `holds ${quoted(full)}, which is not read: code of a file is never run. Expected tensors and plain data.`,
        op,
      );
    return new PickledName(full);
  };
  const call = (): unknown => {
    const args = pop();
    const target = pop();
    const f = target instanceof PickledName ? calls.get(target.name) : undefined;
    if (f === undefined || !Array.isArray(args)) return fail("calls what cannot be called.", op);
    return f(args);
  };
  const dictionary = (): Map<unknown, unknown> => {
    const map = top();
    return map instanceof Map ? map : fail("puts entries into no dictionary.", op);
  };
  const setItems = (values: readonly unknown[]): void => {
    const map = dictionary();
    if (values.length % 2 !== 0) fail("puts a key without a value into a dictionary.", op);
    for (let i = 0; i < values.length; i += 2) {
      const key = values[i];
      if (typeof key !== "string" && typeof key !== "number")
        fail("has a key of a dictionary that is no text and no number.", op);
      map.set(key, values[i + 1]);
    }
  };
  const list = (): unknown[] => {
    const found = top();
    return Array.isArray(found) ? found : fail("appends to no list.", op);
  };
  const append = (values: readonly unknown[]): void => {
    const to = list();
    for (const value of values) to.push(value);
  };
  const take = (count: number): unknown[] => {
    const values = Array.from({ length: count }, pop);
    return values.reverse();
  };
  const long = (count: number): number => {
    if (count > 8) fail("has an integer past 2^53.", op);
    const from = need(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i] as number);
    const signed = count === 0 ? 0 : Number(BigInt.asIntN(8 * count, value));
    return Number.isSafeInteger(signed) ? signed : fail("has an integer past 2^53.", op);
  };

  for (;;) {
    op = need(1);
    const code = bytes[op] as number;
    switch (code) {
      case 0x80: {
        const protocol = bytes[need(1)] as number;
        if (protocol < 2 || protocol > 5) fail(`has the protocol ${protocol}; expected 2 to 5.`, op);
        break;
      }
      case 0x95: // FRAME
        need(8);
        break;
      case 0x28: // MARK
        stack.push(MARK);
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length > 0) fail("ends with more than one value.", op);
        checkDepth(value, () => fail(`holds data more than ${MAX_DEPTH} levels deep.`, op));
        return value;
      }
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(code === 0x88);
        break;
      case 0x4a: // BININT
        stack.push(view.getInt32(need(4), true));
        break;
      case 0x4b: // BININT1
        stack.push(bytes[need(1)]);
        break;
      case 0x4d: // BININT2
        stack.push(view.getUint16(need(2), true));
        break;
      case 0x8a: // LONG1
        stack.push(long(bytes[need(1)] as number));
        break;
      case 0x47: // BINFLOAT
        stack.push(view.getFloat64(need(8)));
        break;
      case 0x58: // BINUNICODE
        stack.push(text(view.getUint32(need(4), true)));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(text(bytes[need(1)] as number));
        break;
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x6c: // LIST
      case 0x74: // TUPLE
        stack.push(toMark());
        break;
      case 0x85: // TUPLE1
      case 0x86:
      case 0x87:
        stack.push(take(code - 0x84));
        break;
      case 0x61: {
        // APPEND
        const value = pop();
        append([value]);
        break;
      }
      case 0x65: // APPENDS
        append(toMark());
        break;
      case 0x73: // SETITEM
        setItems(take(2));
        break;
      case 0x75: // SETITEMS
        setItems(toMark());
        break;
      case 0x71: // BINPUT
        memo.set(bytes[need(1)] as number, top());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(view.getUint32(need(4), true), top());
        break;
      case 0x94: // MEMOIZE
        memo.set(memo.size, top());
        break;
      case 0x68: // BINGET
        stack.push(recall(bytes[need(1)] as number));
        break;
      case 0x6a: // LONG_BINGET
        stack.push(recall(view.getUint32(need(4), true)));
        break;
      case 0x63: {
        // GLOBAL
        const module = line();
        stack.push(globalOf(module, line()));
        break;
      }
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = take(2);
        stack.push(globalOf(String(module), String(name)));
        break;
      }
      case 0x52: // REDUCE
        stack.push(call());
        break;
      case 0x62: {
        // BUILD: attributes, such as a state dict's versions, which are no data.
        pop();
        if (!(top() instanceof Map)) fail("sets attributes of what has none.", op);
        break;
      }
      case 0x51: // BINPERSID
        stack.push(persistent(pop()));
        break;
      default:
        fail(`has the operation 0x${code.toString(16)}, which plain data does not need.`, op);
    }
  }
}

function quoted(name: string): string {
  return JSON.stringify(name.length <= 80 ? name : `${name.slice(0, 77)}...`);
}

/** Fails for data that holds itself too: it has no end. Each value is looked at once, however often it is held. */
function checkDepth(root: unknown, fail: () => never): void {
  const heights = new Map<object, number>();
  const heightOf = (value: unknown, depth: number): number => {
    if (!(value instanceof Map) && !Array.isArray(value)) return 0;
    const known = heights.get(value) ?? 0;
    if (depth + known > MAX_DEPTH) fail();
    if (known > 0) return known;
    let height = 0;
    for (const child of value.values()) height = Math.max(height, heightOf(child, depth + 1));
    heights.set(value, height + 1);
    return height + 1;
  };
  heightOf(root, 0);
}

/** A tuple: `pickle` writes other arrays as lists. */
export class PickledTuple {
  readonly values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.values = values;
  }
}

/** A call of a name with these arguments, or, with `id`, a persistent id. */
export class PickledCall {
  readonly name: string;
  readonly args: readonly unknown[];

  constructor(name: string, args: readonly unknown[]) {
    this.name = name;
    this.args = args;
  }
}

export class PickledId {
  readonly id: unknown;

  constructor(id: unknown) {
    this.id = id;
  }
}

/** Plain data as a pickle of protocol 2: maps and records as dictionaries, whole numbers as integers. Throws through `fail` for all else. */
export function pickle(root: unknown, fail: (text: string) => never): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(256);
  let length = 0;
  const room = (count: number): number => {
    if (length + count > bytes.length) {
      const more = new Uint8Array(2 * (length + count));
      more.set(bytes.subarray(0, length));
      bytes = more;
    }
    length += count;
    return length - count;
  };
  const write = (values: ArrayLike<number>): void => {
    // Room first: it may replace the bytes.
    const from = room(values.length);
    bytes.set(values, from);
  };
  const put = (...codes: number[]): void => write(codes);
  const view = (from: number): DataView => new DataView(bytes.buffer, from);
  const words = (text: string): Uint8Array => new TextEncoder().encode(text);
  const text = (value: string): void => {
    const utf8 = words(value);
    put(0x58);
    const from = room(4);
    view(from).setUint32(0, utf8.length, true);
    write(utf8);
  };
  const number = (value: number): void => {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      put(0x47);
      const from = room(8);
      view(from).setFloat64(0, value);
    } else if (value >= 0 && value < 256) put(0x4b, value);
    else if ((value | 0) === value) {
      put(0x4a);
      const from = room(4);
      view(from).setInt32(0, value, true);
    } else {
      put(0x8a, 8);
      const from = room(8);
      view(from).setBigInt64(0, BigInt(value), true);
    }
  };
  const tuple = (values: readonly unknown[], depth: number): void => {
    put(0x28);
    for (const value of values) walk(value, depth);
    put(0x74);
  };
  const name = (full: string): void => {
    const dot = full.lastIndexOf(".");
    const utf8 = words(`${full.slice(0, dot)}\n${full.slice(dot + 1)}\n`);
    put(0x63);
    write(utf8);
  };
  const walk = (value: unknown, depth: number): void => {
    if (depth > MAX_DEPTH) fail(`got data more than ${MAX_DEPTH} levels deep`);
    if (value === null) put(0x4e);
    else if (typeof value === "boolean") put(value ? 0x88 : 0x89);
    else if (typeof value === "number") number(value);
    else if (typeof value === "string") text(value);
    else if (value instanceof PickledName) name(value.name);
    else if (value instanceof PickledTuple) tuple(value.values, depth + 1);
    else if (value instanceof PickledId) {
      walk(value.id, depth + 1);
      put(0x51);
    } else if (value instanceof PickledCall) {
      name(value.name);
      tuple(value.args, depth + 1);
      put(0x52);
    } else if (Array.isArray(value)) {
      put(0x5d, 0x28);
      for (const child of value) walk(child, depth + 1);
      put(0x65);
    } else if (value instanceof Map) {
      put(0x7d, 0x28);
      for (const [key, child] of value) {
        walk(key, depth + 1);
        walk(child, depth + 1);
      }
      put(0x75);
    } else fail(`got ${typeof value === "object" ? "an object of a class" : `a ${typeof value}`}`);
  };
  put(0x80, 2);
  walk(root, 0);
  put(0x2e);
  return bytes.slice(0, length);
}
