export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The user's own facts about a checkpoint, kept in its manifest. */
export type Metadata = { readonly [key: string]: JsonValue };

/**
 * The JSON text of the metadata as it is now; `{}` for `undefined`.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_METADATA` with the path of the value that JSON cannot hold
 */
export function metadataText(_metadata: Metadata | undefined): string {
  throw new Error('being written');
}
