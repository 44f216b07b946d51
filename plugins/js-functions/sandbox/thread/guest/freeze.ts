/**
 * Guest code, part 4: code cannot be made from text, functions do not show their source, and everything provided is
 * read-only, so that no function can change what another one sees.
 */
export const FREEZE = String.raw`
  const refuse = function Function() { throw new EvalError('code cannot be made from text in this sandbox'); };
  const samples = [function () {}, async function () {}, function* () {}, async function* () {}];
  for (const sample of samples) replace(getPrototypeOf(sample), 'constructor', refuse);
  refuse.prototype = getPrototypeOf(samples[0]);
  publish('Function', refuse);
  replace(getPrototypeOf(samples[0]), 'toString', { toString() {
    if (typeof this !== 'function') throw new TypeError('not a function');
    return 'function ' + String(this.name) + '() { [native code] }';
  } }.toString);

  // Assigning to an object must go on working where the frozen prototype has a property of that name (this.name in
  // an error class, toString on an instance): those become accessors whose setter defines an own property.
  const assignable = (prototype, names) => {
    for (const name of names) {
      const own = getOwnPropertyDescriptor(prototype, name);
      if (own === undefined || !('value' in own)) continue;
      const { value } = own;
      defineProperty(prototype, name, {
        get() { return value; },
        set(next) {
          if (this === prototype) throw new TypeError(name + ' is read-only');
          defineProperty(this, name, { value: next, writable: true, enumerable: true, configurable: true });
        },
        enumerable: false,
        configurable: true,
      });
    }
  };
  assignable(Object.prototype, ['toString', 'valueOf', 'toLocaleString', 'constructor', 'hasOwnProperty']);
  for (const Type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, InternalError, AggregateError]) {
    assignable(Type.prototype, ['name', 'message', 'toString', 'constructor']);
  }
  assignable(Array.prototype, ['toString', 'constructor']);
  assignable(getPrototypeOf(samples[0]), ['toString', 'constructor']);

  const frozen = new Set();
  const queue = [globalThis, ''[Symbol.iterator](), [][Symbol.iterator](), new Map().entries(), new Set().values(),
    'a'.matchAll(/a/g), samples[2].prototype, samples[3].prototype, Iterator.from({ next() {} }), [].values().map((x) => x)];
  for (const sample of samples) queue.push(getPrototypeOf(sample));
  while (queue.length > 0) {
    const value = queue.pop();
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || frozen.has(value)) continue;
    frozen.add(value);
    queue.push(getPrototypeOf(value));
    for (const key of ownKeys(value)) {
      const own = getOwnPropertyDescriptor(value, key);
      queue.push(own.value, own.get, own.set);
    }
    Object.freeze(value);
  }
`;
