export { signingFetch, signRequest } from './fetch.js';
export { DEFAULT_HEADER_NAMES, type HeaderNames } from './header-names.js';
export {
  ALGORITHMS,
  type Algorithm,
  BINDABLE,
  type Bindable,
  type SignedParts,
  SignedTextError,
  signedText,
} from './signed-text.js';
export { type RequestParts, type SigningOptions, signatureHeaders } from './signer.js';
