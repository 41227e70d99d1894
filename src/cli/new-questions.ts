/** The questions of `slipway new`, for who is at a terminal: what was not said on the command line, three at most. */
import { createInterface } from "node:readline/promises";
import { Failure } from "./errors.ts";
import { checkTarget, type NewOptions } from "./new.ts";
import { deploysByDefault, findTemplate, templates } from "./templates.ts";

export interface Answers {
  readonly name: string | undefined;
  readonly template: string | undefined;
  readonly deploy: boolean | undefined;
}

export async function ask(given: string | undefined, options: NewOptions): Promise<Answers> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const left = new Promise<never>((_, reject) => {
    terminal.on("close", () => {
      process.stdout.write("\n");
      reject(new Failure("nothing was made"));
    });
  });
  left.catch(() => {});
  terminal.on("SIGINT", () => {
    process.stdout.write("\n");
    process.exit(130);
  });
  /** Asks until an answer will do. */
  const until = async <T>(question: string, read: (answer: string) => T): Promise<T> => {
    for (;;) {
      const answer = (await Promise.race([terminal.question(question), left])).trim();
      try {
        return read(answer);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        process.stdout.write(`  ${error.message}\n`);
      }
    }
  };
  try {
    const name =
      given ??
      (await until("Name of the new folder: ", (answer) => {
        if (answer === "") throw new Failure("a name, or . for this folder");
        checkTarget(answer, options.force === true);
        return answer;
      }));
    const names = Object.keys(templates);
    let { template } = options;
    if (template === undefined) {
      const width = Math.max(...names.map((one) => one.length));
      for (const [index, [one, says]] of Object.entries(templates).entries()) {
        process.stdout.write(`  ${index + 1} ${one.padEnd(width)}  ${says}\n`);
      }
      template = await until("Template, by name or number [http]: ", (answer) => {
        const word = names[Number(answer) - 1] ?? (answer === "" ? "http" : answer);
        findTemplate(word);
        return word;
      });
    }
    let { deploy } = options;
    if (deploy === undefined) {
      const usual = deploysByDefault(findTemplate(template));
      deploy = await until(
        `Files for containers, Kubernetes, systemd and CI? [${usual ? "Y/n" : "y/N"}] `,
        (answer) => {
          if (answer === "") return usual;
          if (/^(?:y|yes|n|no)$/i.test(answer)) return /^y/i.test(answer);
          throw new Failure("y or n");
        },
      );
    }
    return { name, template, deploy };
  } finally {
    terminal.removeAllListeners("close");
    terminal.close();
  }
}
