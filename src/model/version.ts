declare const PULLYU_VERSION: string | undefined;

/** The version of this package; the build puts it in. */
export const version: string = typeof PULLYU_VERSION === 'string' ? PULLYU_VERSION : '0.0.0-dev';
