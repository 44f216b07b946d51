/** Parts of names of headers, arguments and fields whose values let somebody in. */
const SECRET =
  /authorization|cookie|token|secret|passw|api-?key|signature|credential|session|private|(?:^|[-_. ])(?:key|auth|jwt|otp|pin)$/i;
/** Ends of names that say something of a credential, and are none: `token_ttl`, `key_in_header`. */
const DESCRIBES =
  /-(?:headers?|names?|params?|claims?|in|ttl|seconds|ms|minutes|days|algorithms?|types?|location|count|size|length|limit|enabled|required|expires?|expires-(?:in|at))$/i;
/** Fields whose values are names of headers, arguments or cookies: `signature_header`, `key_names`. */
const NAMES_ONE = /-(?:header|param|cookie|query|argument)s?(?:-names?)?$|-names?$/i;

const added = new Set<string>();

/** Whether what goes by this name is a credential: a header, a query argument, a field of a configuration or body. */
export function isSecretName(name: string): boolean {
  const spelled = dashed(name);
  return added.has(spelled.toLowerCase()) || (SECRET.test(spelled) && !DESCRIBES.test(spelled));
}

/** More names of credentials, for this process. */
export function addSecretNames(names: Iterable<string>): void {
  for (const name of names) added.add(dashed(name).toLowerCase());
}

/**
 * The names that a plugin adds by its schema and its configuration: those of fields that are `encrypted` or
 * `referenceable`, and what a field of the kind `signature_header` or `key_names` names.
 *
 * @param plugins their fields, as Kong has them
 * @param configs configurations of any of them
 */
export function secretNamesOf(
  plugins: readonly { readonly schema: unknown }[],
  configs: readonly Readonly<Record<string, unknown>>[],
): string[] {
  const names: string[] = [];
  const visitSchema = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, attributes] of Object.entries(value)) {
      const { encrypted, referenceable } = (attributes ?? {}) as Record<string, unknown>;
      if (encrypted === true || referenceable === true) names.push(name);
      visitSchema(attributes);
    }
  };
  const visitConfig = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [field, item] of Object.entries(value)) {
      const spelled = dashed(field);
      const what = spelled.replace(NAMES_ONE, '');
      if (what !== spelled && isSecretName(what)) {
        names.push(...[item].flat().filter((one): one is string => typeof one === 'string' && one !== ''));
      }
      visitConfig(item);
    }
  };
  for (const { schema } of plugins) visitSchema(schema);
  for (const config of configs) visitConfig(config);
  return names;
}

/** `apiKey` and `api_key` as `api-key`. */
function dashed(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').replaceAll('_', '-');
}
