/** Results of a send: everything is with the kernel, or the rest waits with us and `sent` follows. */
export const SENT = 0;
export const SENDING = 1;
