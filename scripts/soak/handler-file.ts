/** The file that the soak's server sends: as its clients know it. */
export const FILE_BYTES = 3_000_000;

export function fileBytes(): Buffer {
  return Buffer.alloc(FILE_BYTES, "a line of the file\n");
}
