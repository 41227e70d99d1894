/** The admin port can't be opened as asked. The message is one sentence: what, why, and what to do. */
export class AdminError extends Error {
  override readonly name: string = "AdminError";
}
