/** What reads an answer of a git server, piece by piece. */
export interface AnswerReader {
  /** What comes after the end is ignored. */
  push(chunk: Buffer): void;
  /** No further byte can change the result. */
  readonly isDone: boolean;
  /** The answer was read to its end. */
  readonly isComplete: boolean;
  /** It is not in git's format: what was found instead. */
  readonly broken: string | null;
  /** What the server said in an ERR packet, escaped. */
  readonly error: string | null;
}
