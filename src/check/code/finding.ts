/** What a rule is, and what it finds. */
import type { Handlers } from "./handlers.ts";
import type { Project } from "./project.ts";
import type { SourceFile } from "./source.ts";
import type { Node } from "./tree.ts";

/** `error` and `warning` make the exit code 1; `info` is only said. */
export type Severity = "error" | "warning" | "info";

/** What rules look at. */
export interface Program {
  readonly project: Project;
  readonly handlers: Handlers;
}

/** One kind of fault. The id is stable: comments in people's sources name it. */
export interface Rule {
  readonly id: string;
  readonly severity: Severity;
  /** One sentence: what happens in production. */
  readonly harm: string;
  /** What to write instead. */
  readonly cure: string;
  check?(program: Program, report: Report): void;
}

/** Says where; `about` replaces what the rule says in general. */
export type Report = (
  node: Node,
  file: SourceFile,
  about?: { harm?: string; cure?: string; severity?: Severity },
) => void;

/** One fault at one place. Lines and columns count from 1, columns in UTF-16 units as editors do. */
export interface Finding {
  readonly id: string;
  readonly severity: Severity;
  readonly harm: string;
  readonly cure: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** The source line. */
  readonly code: string;
}
