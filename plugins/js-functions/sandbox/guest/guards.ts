/**
 * Guest code, part 1: built-ins that could loop for a long time inside the engine are bounded.
 *
 * QuickJS looks at its interrupt handler when a function is called or a loop goes round, never inside a native
 * loop. `[].indexOf.call({ length: 2 ** 53 }, 1)`, a search for a long needle in a long string, `flat` on an array
 * that holds itself a million times over, or sorting a million elements would therefore outlive any CPU limit.
 * Each such function is wrapped: lengths are read where they cannot lie and are bounded, and the clock is looked at
 * before the work. What cannot be bounded that way goes: BigInt, shared memory, weak references.
 */
export const GUARDS = String.raw`
  const { apply, construct, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
  const { isArray } = Array;
  const isView = ArrayBuffer.isView;
  const NativeRegExp = RegExp;
  const MAX_ELEMENTS = 1000000;
  const LONG = 4096;
  const MAX_COMPARISONS = 10000000;
  const MAX_NESTING = 500;
  const { add: setAdd, has: setHas } = Set.prototype;

  /** Ends the run in progress: the host has said so, and the next poll throws what no catch can catch. */
  const halt = () => { for (;;); };
  const check = () => { if (host.check()) halt(); };

  const replace = (owner, name, value) => {
    const old = getOwnPropertyDescriptor(owner, name);
    defineProperty(owner, name, { value, writable: true, enumerable: old ? old.enumerable : false, configurable: true });
  };

  const proxies = new WeakSet();
  const addProxy = WeakSet.prototype.add, hasProxy = WeakSet.prototype.has;
  const NativeProxy = Proxy;
  const { revocable } = NativeProxy;
  const GuardedProxy = function Proxy(target, handler) {
    if (!new.target) throw new TypeError('Proxy must be called with new');
    const proxy = construct(NativeProxy, [target, handler]);
    apply(addProxy, proxies, [proxy]);
    return proxy;
  };
  GuardedProxy.revocable = function (target, handler) {
    const made = revocable(target, handler);
    apply(addProxy, proxies, [made.proxy]);
    return made;
  };
  GuardedProxy.prototype = undefined;
  replace(globalThis, 'Proxy', GuardedProxy);
  const isProxy = (value) => apply(hasProxy, proxies, [value]);

  /** The length that a native loop over self will see; refuses objects whose length could change its mind. */
  const honestLength = (self) => {
    if (typeof self === 'string') return self.length;
    if (self === null || (typeof self !== 'object' && typeof self !== 'function')) return 0;
    for (let at = self; at !== null; at = getPrototypeOf(at)) {
      if (isProxy(at)) throw new TypeError('array methods do not take a Proxy in this sandbox');
      const own = getOwnPropertyDescriptor(at, 'length');
      if (own === undefined) continue;
      if (typeof own.value === 'number') return own.value;
      if (isView(self)) return self.length;
      if (self instanceof String) return 0;
      throw new TypeError('array methods need a plain length in this sandbox');
    }
    return 0;
  };
  const bound = (self) => {
    const length = honestLength(self);
    if (length > MAX_ELEMENTS) throw new RangeError('array methods take at most ' + MAX_ELEMENTS + ' elements in this sandbox');
    if (length > LONG) check();
    return length;
  };

  for (const name of ['every', 'some', 'forEach', 'map', 'filter', 'reduce', 'reduceRight', 'fill', 'indexOf',
    'lastIndexOf', 'includes', 'join', 'toLocaleString', 'shift', 'unshift', 'reverse', 'toReversed', 'slice', 'splice',
    'toSpliced', 'copyWithin', 'with']) {
    const native = Array.prototype[name];
    if (native === undefined) continue;
    replace(Array.prototype, name, { [name](...args) { bound(this); return apply(native, this, args); } }[name]);
  }

  const byText = (a, b) => { const x = '' + a, y = '' + b; return x < y ? -1 : x > y ? 1 : 0; };
  const byNumber = (a, b) => (a < b ? -1 : a > b ? 1 : a !== a ? (b !== b ? 0 : 1) : b !== b ? -1 : 0);
  const TypedArray = getPrototypeOf(Uint8Array);
  for (const [owner, order] of [[Array.prototype, byText], [TypedArray.prototype, byNumber]]) {
    for (const name of ['sort', 'toSorted']) {
      const native = owner[name];
      if (native === undefined) continue;
      // A comparator of the guest's own is called, and so interrupted; the native order is not.
      replace(owner, name, { [name](compare) {
        const long = bound(this) > LONG;
        return apply(native, this, [compare === undefined && long ? order : compare]);
      } }[name]);
    }
  }

  const isConcatSpreadable = Symbol.isConcatSpreadable;
  const append = (into, value, depth) => {
    const { length } = value;
    for (let i = 0; i < length; i++) {
      if (!(i in value)) continue;
      const item = value[i];
      if (depth > 0 && isArray(item)) append(into, item, depth - 1);
      else into[into.length] = item;
    }
  };
  replace(Array.prototype, 'flat', { flat(depth = 1) { const out = []; append(out, this, +depth); return out; } }.flat);
  replace(Array.prototype, 'flatMap', { flatMap(callback, self) {
    const out = [];
    for (let i = 0; i < this.length; i++) {
      if (!(i in this)) continue;
      const item = apply(callback, self, [this[i], i, this]);
      if (isArray(item)) append(out, item, 0);
      else out[out.length] = item;
    }
    return out;
  } }.flatMap);
  replace(Array.prototype, 'concat', { concat(...items) {
    const out = [];
    for (let k = -1; k < items.length; k++) {
      const item = k < 0 ? Object(this) : items[k];
      const isObject = item !== null && typeof item === 'object';
      const wish = isObject ? item[isConcatSpreadable] : false;
      if (!(wish === undefined ? isArray(item) : wish)) { out[out.length] = item; continue; }
      const start = out.length, { length } = item;
      for (let i = 0; i < length; i++) if (i in item) out[start + i] = item[i];
      out.length = start + length;
    }
    return out;
  } }.concat);

  // Searching for one string in another compares them naively. Where that could take long, it is done here, in as many
  // steps as the strings are long, each of which can be interrupted (Knuth, Morris, Pratt).
  const finder = (needle) => {
    const { length } = needle;
    const fall = new Int32Array(length);
    for (let i = 1, matched = 0; i < length; i++) {
      const code = needle.charCodeAt(i);
      while (matched > 0 && code !== needle.charCodeAt(matched)) matched = fall[matched - 1];
      if (code === needle.charCodeAt(matched)) matched++;
      fall[i] = matched;
    }
    return (hay, from) => {
      for (let i = from, matched = 0; i < hay.length; i++) {
        const code = hay.charCodeAt(i);
        while (matched > 0 && code !== needle.charCodeAt(matched)) matched = fall[matched - 1];
        if (code === needle.charCodeAt(matched)) matched++;
        if (matched === length) return i - length + 1;
      }
      return -1;
    };
  };
  const text = (self) => {
    if (self === undefined || self === null) throw new TypeError('cannot read a string method of ' + self);
    const value = typeof self === 'string' ? self : String(self);
    if (value.length > LONG) check();
    return value;
  };
  const slow = (hay, needle) => needle.length > 4 && hay.length * needle.length > MAX_COMPARISONS;
  const { indexOf: nativeIndexOf, includes: nativeIncludes, lastIndexOf: nativeLastIndexOf } = String.prototype;
  const searchFrom = (hay, needle, from) =>
    finder(needle)(hay, from > 0 ? Math.min(Math.trunc(from), hay.length) : 0);
  const placesOf = (hay, needle, most) => {
    const places = [], find = finder(needle);
    for (let at = find(hay, 0); at >= 0 && places.length < most; at = find(hay, at + needle.length)) places.push(at);
    return places;
  };
  const splitSlowly = (hay, needle, limit) => {
    const most = limit === undefined ? 2 ** 32 - 1 : limit >>> 0;
    const parts = [];
    let from = 0;
    for (const at of placesOf(hay, needle, most)) {
      parts.push(hay.slice(from, at));
      from = at + needle.length;
    }
    if (parts.length < most) parts.push(hay.slice(from));
    return parts;
  };
  const expand = (template, hay, needle, at) => {
    let out = '';
    for (let i = 0; i < template.length; i++) {
      const next = template[i] === '$' ? template[i + 1] : undefined;
      const inserted = next === '$' ? '$' : next === '&' ? needle : next === '\x60' ? hay.slice(0, at)
        : next === "'" ? hay.slice(at + needle.length) : undefined;
      out += inserted ?? template[i];
      if (inserted !== undefined) i++;
    }
    return out;
  };
  const replaceSlowly = (hay, needle, value, most) => {
    const template = typeof value === 'function' ? undefined : String(value);
    let out = '', from = 0;
    for (const at of placesOf(hay, needle, most)) {
      out += hay.slice(from, at);
      out += template === undefined ? String(value(needle, at, hay)) : expand(template, hay, needle, at);
      from = at + needle.length;
    }
    return out + hay.slice(from);
  };
  replace(String.prototype, 'indexOf', { indexOf(needle, from) {
    const hay = text(this), wanted = String(needle), start = +from || 0;
    return slow(hay, wanted) ? searchFrom(hay, wanted, start) : apply(nativeIndexOf, hay, [wanted, start]);
  } }.indexOf);
  replace(String.prototype, 'includes', { includes(needle, from) {
    if (needle instanceof NativeRegExp) throw new TypeError('includes does not take a regular expression');
    const hay = text(this), wanted = String(needle), start = +from || 0;
    return slow(hay, wanted) ? searchFrom(hay, wanted, start) >= 0 : apply(nativeIncludes, hay, [wanted, start]);
  } }.includes);
  replace(String.prototype, 'lastIndexOf', { lastIndexOf(needle, from) {
    const hay = text(this), wanted = String(needle), start = from === undefined ? Infinity : +from;
    if (slow(hay, wanted)) throw new RangeError('lastIndexOf: the strings are too long for this sandbox');
    return apply(nativeLastIndexOf, hay, [wanted, start]);
  } }.lastIndexOf);
  for (const [name, symbol, slowly] of [['split', Symbol.split, splitSlowly],
    ['replace', Symbol.replace, (hay, needle, value) => replaceSlowly(hay, needle, value, 1)],
    ['replaceAll', Symbol.replace, (hay, needle, value) => replaceSlowly(hay, needle, value, Infinity)]]) {
    const native = String.prototype[name];
    replace(String.prototype, name, { [name](pattern, value) {
      if (pattern !== null && typeof pattern === 'object') {
        const method = pattern[symbol];
        if (method !== undefined && method !== null) {
          if (name === 'replaceAll' && pattern instanceof NativeRegExp && !apply(nativeIncludes, String(pattern.flags), ['g'])) {
            throw new TypeError('replaceAll needs a regular expression with the g flag');
          }
          return apply(method, pattern, [text(this), value]);
        }
      }
      const hay = text(this);
      if (name === 'split' && pattern === undefined) return apply(native, hay, [pattern, value]);
      const wanted = String(pattern);
      return slow(hay, wanted) ? slowly(hay, wanted, value) : apply(native, hay, [wanted, value]);
    } }[name]);
  }

  // Plain characters in a row are compared without a look at the clock, however many they are.
  const sourceOf = getOwnPropertyDescriptor(NativeRegExp.prototype, 'source').get;
  const BoundedRegExp = function RegExp(pattern, flags) {
    const isExpression = pattern instanceof NativeRegExp;
    if (isExpression && new.target === undefined && flags === undefined) return pattern;
    const source = isExpression ? apply(sourceOf, pattern, []) : pattern === undefined ? '' : String(pattern);
    if (source.length > LONG) throw new RangeError('a regular expression of more than ' + LONG + ' characters');
    const wanted = flags === undefined && isExpression ? pattern.flags : flags;
    return construct(NativeRegExp, [source, wanted], new.target ?? BoundedRegExp);
  };
  for (const key of ownKeys(NativeRegExp)) {
    if (key === 'prototype' || key === 'name' || key === 'length') continue;
    defineProperty(BoundedRegExp, key, getOwnPropertyDescriptor(NativeRegExp, key));
  }
  defineProperty(BoundedRegExp, 'length', { value: 2, configurable: true });
  BoundedRegExp.prototype = NativeRegExp.prototype;
  replace(NativeRegExp.prototype, 'constructor', BoundedRegExp);
  replace(globalThis, 'RegExp', BoundedRegExp);
  delete NativeRegExp.prototype.compile;

  replace(String, 'raw', { raw(template, ...values) {
    const { raw } = template;
    let out = '';
    for (let i = 0; i < raw.length; i++) out += (i > 0 && i <= values.length ? String(values[i - 1]) : '') + String(raw[i]);
    return out;
  } }.raw);

  // The engine writes JSON by recursion that its own stack limit does not see, and goes on through all of a graph when
  // memory has run out. A replacer is called for every value, so it can count and be interrupted.
  const nativeStringify = JSON.stringify;
  const isPlain = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');
  const stringify = (value, replacer, space) => {
    const change = typeof replacer === 'function' ? replacer : undefined;
    if (change === undefined && isPlain(value)) return nativeStringify(value, null, space);
    const keys = isArray(replacer) ? new Set() : undefined;
    if (keys !== undefined) for (let i = 0; i < replacer.length; i++) apply(setAdd, keys, [String(replacer[i])]);
    const holders = [];
    let top = -1;
    return nativeStringify(value, function (key, item) {
      if (top < 0) holders[++top] = this;
      while (top > 0 && holders[top] !== this) top--;
      if (keys !== undefined && top > 0 && !isArray(this) && !apply(setHas, keys, [key])) return undefined;
      if (change !== undefined) item = apply(change, this, [key, item]);
      if (item === null || typeof item !== 'object') return item;
      if (++top > MAX_NESTING) throw new RangeError('JSON is nested more than ' + MAX_NESTING + ' deep');
      holders[top] = item;
      return item;
    }, space);
  };
  replace(JSON, 'stringify', { stringify(value, replacer, space) { return stringify(value, replacer, space); } }.stringify);

  for (const name of ['eval', 'Atomics', 'SharedArrayBuffer', 'WeakRef', 'FinalizationRegistry', 'BigInt',
    'BigInt64Array', 'BigUint64Array', 'gc', 'print', 'navigator', 'performance', 'std', 'os', 'bjson',
    'DOMException', 'queueMicrotask']) delete globalThis[name];
  for (const name of ['getBigInt64', 'getBigUint64', 'setBigInt64', 'setBigUint64']) delete DataView.prototype[name];
  if (typeof Iterator === 'function') {
    delete Iterator.prototype.drop;
    delete Iterator.concat;
  }
`;
