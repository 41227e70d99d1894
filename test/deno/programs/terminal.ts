// @ts-nocheck: written for Deno, whose types are not installed here.
/** In a terminal: its size, and what raw mode makes of it. */
const settings = async () => {
  const { stdout } = await new Deno.Command("stty", { args: ["-a"], stdin: "inherit", stdout: "piped" }).output();
  return new TextDecoder()
    .decode(stdout)
    .match(/-?\b(isig|icanon|iexten|echo|brkint|icrnl|inpck|istrip|ixon|opost)\b/g);
};
const said = [Deno.consoleSize(), Deno.stdin.isTerminal(), Deno.stdout.isTerminal(), await settings()];
Deno.stdin.setRaw(true);
said.push(await settings());
Deno.stdin.setRaw(true, { cbreak: true });
said.push(await settings());
Deno.stdin.setRaw(false);
said.push(await settings());
using terminal = await Deno.open("/dev/tty", { read: true, write: true });
terminal.setRaw(true);
said.push(terminal.isTerminal(), await settings());
terminal.setRaw(false);
said.push(await settings());
console.log(`said ${JSON.stringify(said)}`);
Deno.exit();
