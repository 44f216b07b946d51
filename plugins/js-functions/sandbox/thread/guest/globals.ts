/** Guest code, part 3: `kong`, `console` and the web's small utilities, built on copies that the host hands over. */
export const GLOBALS = String.raw`
  const service = (operation, args, ...buffers) => {
    const answer = host.service(operation, nativeStringify(args), ...buffers);
    if (typeof answer !== 'string') return answer;
    const { e, v } = parse(answer);
    if (e === undefined) return v;
    const error = new (e[0] === 'TypeError' ? TypeError : e[0] === 'RangeError' ? RangeError : Error)(e[1]);
    if (error.name !== e[0]) error.name = e[0];
    throw error;
  };
  const publish = (name, value) =>
    defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });

  /** Bytes as the PDK gives them: a Uint8Array whose text is its content read as UTF-8. */
  class Bytes extends Uint8Array {
    static get [Symbol.species]() { return Uint8Array; }
    toString(encoding = 'utf8') { return service('bytes.toString', [String(encoding)], bytesOf(this)); }
    toJSON() { return this.toString(); }
  }

  const kong = {};
  for (let method = 0; method < methods.length; method++) {
    const path = methods[method];
    let owner = kong;
    for (let i = 0; i < path.length - 1; i++) owner = owner[path[i]] ?? (owner[path[i]] = {});
    const name = path[path.length - 1];
    const texts = path[0] === 'log' && path.length === 2 && name !== 'serialize' && name !== 'setSerializeValue';
    owner[name] = texts
      ? { [name](...args) { for (let i = 0; i < args.length; i++) args[i] = shown(args[i]); return callPdk(method, args); } }[name]
      : { [name](...args) { return callPdk(method, args); } }[name];
  }
  publish('kong', kong);

  // The engine's own generator begins in every isolate where it stood in their common template (xorshift128).
  const state = new Uint32Array(4);
  const random = () => {
    const t = state[3] ^ (state[3] << 11), s = state[0];
    state[3] = state[2];
    state[2] = state[1];
    state[1] = s;
    return state[0] = t ^ (t >>> 8) ^ s ^ (s >>> 19);
  };
  const seed = (a, b) => {
    state.set([a, b, 1, 2]);
    for (let i = 0; i < 16; i++) random();
  };
  replace(Math, 'random', { random() { return ((random() >>> 5) * 67108864 + (random() >>> 6)) / 9007199254740992; } }.random);

  const levels = { log: 'notice', info: 'info', debug: 'debug', warn: 'warn', error: 'err' };
  const console = {};
  for (const name in levels) {
    const method = methods.findIndex((path) => path[0] === 'log' && path[1] === levels[name]);
    console[name] = { [name](...args) {
      const parts = [];
      for (let i = 0; i < args.length; i++) parts[i] = shown(args[i]);
      inRun();
      send(method, 0, [parts.join(' ')]);
    } }[name];
  }
  publish('console', console);

  publish('TextEncoder', class TextEncoder {
    get encoding() { return 'utf-8'; }
    encode(input = '') { return new Uint8Array(service('text.encode', [String(input)])); }
  });
  publish('TextDecoder', class TextDecoder {
    #label; #fatal; #ignoreBOM;
    constructor(label = 'utf-8', options = {}) {
      this.#fatal = Boolean(options.fatal);
      this.#ignoreBOM = Boolean(options.ignoreBOM);
      this.#label = service('text.label', [String(label)]);
    }
    get encoding() { return this.#label; }
    get fatal() { return this.#fatal; }
    get ignoreBOM() { return this.#ignoreBOM; }
    decode(input) {
      if (input === undefined) return '';
      if (!isBytes(input)) throw new TypeError('decode takes bytes');
      return service('text.decode', [this.#label, this.#fatal, this.#ignoreBOM], bytesOf(input));
    }
  });
  publish('atob', function atob(data) { return service('base64.decode', [String(data)]); });
  publish('btoa', function btoa(data) { return service('base64.encode', [String(data)]); });

  const listeners = new WeakMap();
  class URLSearchParams {
    #pairs = [];
    constructor(init = '') {
      if (init !== null && typeof init === 'object') {
        const entries = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
        for (const [name, value] of entries) this.#pairs.push([String(name), String(value)]);
      } else this.#pairs = service('query.parse', [String(init)]);
    }
    #changed() { const listener = listeners.get(this); if (listener !== undefined) listener(); }
    get size() { return this.#pairs.length; }
    append(name, value) { this.#pairs.push([String(name), String(value)]); this.#changed(); }
    delete(name, value) {
      this.#pairs = this.#pairs.filter((pair) => pair[0] !== String(name) || (value !== undefined && pair[1] !== String(value)));
      this.#changed();
    }
    get(name) { const found = this.#pairs.find((pair) => pair[0] === String(name)); return found === undefined ? null : found[1]; }
    getAll(name) { return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]); }
    has(name, value) { return this.#pairs.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value))); }
    set(name, value) {
      const at = this.#pairs.findIndex((pair) => pair[0] === String(name));
      if (at < 0) this.#pairs.push([String(name), String(value)]);
      else this.#pairs = this.#pairs.filter((pair, i) => i <= at || pair[0] !== String(name)).map((pair, i) => (i === at ? [pair[0], String(value)] : pair));
      this.#changed();
    }
    sort() { this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0)); this.#changed(); }
    forEach(callback, self) { for (const [name, value] of this) apply(callback, self, [value, name, this]); }
    *entries() { for (const [name, value] of this.#pairs) yield [name, value]; }
    *keys() { for (const [name] of this.#pairs) yield name; }
    *values() { for (const [, value] of this.#pairs) yield value; }
    [Symbol.iterator]() { return this.entries(); }
    toString() {
      if (this.#pairs.length > 10000) throw new RangeError('more than 10000 pairs in a query');
      return service('query.stringify', [this.#pairs]);
    }
  }
  publish('URLSearchParams', URLSearchParams);

  class URL {
    #parts; #params;
    constructor(input, base) {
      this.#parts = service('url.parse', base === undefined ? [String(input)] : [String(input), String(base)]);
    }
    static canParse(input, base) { try { new URL(input, base); return true; } catch { return false; } }
    static change(url, name, value) { url.#parts = service('url.set', [url.#parts.href, name, String(value)]); url.#params = undefined; }
    static read(url, name) { return url.#parts[name]; }
    get searchParams() {
      if (this.#params === undefined) {
        const params = new URLSearchParams(this.#parts.search);
        listeners.set(params, () => { this.#parts = service('url.set', [this.#parts.href, 'search', params.toString()]); });
        this.#params = params;
      }
      return this.#params;
    }
    toString() { return this.#parts.href; }
    toJSON() { return this.#parts.href; }
  }
  const { change: changeUrl, read: readUrl } = URL;
  delete URL.change;
  delete URL.read;
  for (const name of ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
    defineProperty(URL.prototype, name, {
      get() { return readUrl(this, name); }, set(value) { changeUrl(this, name, value); }, enumerable: true, configurable: true,
    });
  }
  defineProperty(URL.prototype, 'origin', { get() { return readUrl(this, 'origin'); }, enumerable: true, configurable: true });
  publish('URL', URL);

  const viewTypes = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, DataView];
  const cloneValue = (value, seen) => {
    if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(typeof value + ' values cannot be cloned');
    if (value === null || typeof value !== 'object') return value;
    if (seen.has(value)) return seen.get(value);
    const keep = (copy) => { seen.set(value, copy); return copy; };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (isView(value)) {
      const Type = viewTypes.find((type) => value instanceof type);
      const buffer = cloneValue(value.buffer, seen);
      return keep(new Type(buffer, value.byteOffset, Type === DataView ? value.byteLength : value.length));
    }
    if (value instanceof Map) {
      const copy = keep(new Map());
      for (const [key, item] of value) copy.set(cloneValue(key, seen), cloneValue(item, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = keep(new Set());
      for (const item of value) copy.add(cloneValue(item, seen));
      return copy;
    }
    if (value instanceof Error) {
      const copy = keep(new Error(String(value.message)));
      copy.name = String(value.name);
      return copy;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet) throw new TypeError('this value cannot be cloned');
    const copy = keep(isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) {
      defineProperty(copy, key, { value: cloneValue(value[key], seen), writable: true, enumerable: true, configurable: true });
    }
    return copy;
  };
  publish('structuredClone', function structuredClone(value) { return cloneValue(value, new Map()); });

  const binary = (data) => {
    if (typeof data === 'string') return service('text.encode', [data]);
    if (isBytes(data)) return bytesOf(data);
    throw new TypeError('data must be a string or bytes');
  };
  const encoded = (buffer, encoding) => (encoding === 'bytes' ? new Uint8Array(buffer) : service('bytes.toString', [String(encoding)], buffer));
  const crypto = {
    randomUUID() { return service('crypto.uuid', []); },
    getRandomValues(view) {
      if (!isView(view) || view instanceof DataView || view instanceof Float32Array || view instanceof Float64Array) throw new TypeError('getRandomValues takes an integer array');
      if (view.byteLength > 65536) throw new RangeError('getRandomValues fills at most 65536 bytes');
      new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(new Uint8Array(service('crypto.random', [view.byteLength])));
      return view;
    },
    hash(algorithm, data, encoding = 'hex') { return encoded(service('crypto.hash', [String(algorithm)], binary(data)), encoding); },
    hmac(algorithm, key, data, encoding = 'hex') { return encoded(service('crypto.hmac', [String(algorithm)], binary(key), binary(data)), encoding); },
    sha256(data, encoding = 'hex') { return crypto.hash('sha256', data, encoding); },
    timingSafeEqual(a, b) { return service('crypto.equal', [], binary(a), binary(b)); },
  };
  publish('crypto', crypto);
`;
