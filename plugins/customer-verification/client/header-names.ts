/** The headers of a signed request, as the plugin reads them unless its configuration says otherwise. */
export const DEFAULT_HEADER_NAMES = {
  certificateId: 'client-certificate-id',
  signature: 'client-request-signature',
  time: 'client-request-time',
} as const;

/** The names under which the three values are sent. */
export type HeaderNames = { readonly [name in keyof typeof DEFAULT_HEADER_NAMES]: string };
