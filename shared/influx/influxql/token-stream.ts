// What the parsers read from: tokens with parameters put in, some of which are put back. It keeps one oddity of influxd's
// parser, because it decides what is accepted: whether a regular expression follows is judged by the character after the
// last token *read*, also where that token was put back.
import { AppError } from '../../errors/app-error.js';
import { bindValue } from './bound-params.js';
import { Scanner } from './scanner.js';
import type { Token, TokenKind } from './token.js';

/** Parentheses and subqueries within each other. Our stack is the limit, not InfluxQL; nobody writes a tenth of this. */
const MAX_DEPTH = 500;

/**
 * What checking the regular expressions of one query may cost: about 100 ms. A character costs one, and where something is
 * repeated {n} times, as many as that is found to cost at most. Beyond it a pattern is taken as it is: influxd judges it.
 */
const REGEX_BUDGET = 5_000;
const REPEATED_COST = 50;
/** Of any pattern, however short. */
const COMPILE_COST = 10;

/** Thrown by the parsers of this folder; `parseQuery` makes a value of it. */
export function refuse(why: string): AppError {
  return new AppError('statement-unparsable', why, { status: 400 });
}

export class TokenStream {
  readonly text: string;
  readonly #scanner: Scanner;
  readonly #params: Readonly<Record<string, unknown>>;
  readonly #read: Token[] = [];
  #next = 0;
  #depth = 0;
  /** Set where it was a limit of ours that ended the parsing. */
  isOverLimit = false;
  #regexBudget = REGEX_BUDGET;

  constructor(text: string, params: Readonly<Record<string, unknown>>) {
    this.text = text;
    this.#scanner = new Scanner(text);
    this.#params = params;
  }

  /** The next token, white space and comments too. */
  scan(): Token {
    return this.#take(() => this.#scanner.scan());
  }

  /** The next token that is neither white space nor a comment. */
  scanWord(): Token {
    for (;;) {
      const token = this.scan();
      if (token.kind !== 'space' && token.kind !== 'comment') return token;
    }
  }

  /** Puts the last token back; twice in a row puts back two. */
  unscan(): void {
    this.#next -= 1;
  }

  /** Takes the next word if it is that one. */
  accept(kind: TokenKind): boolean {
    if (this.scanWord().kind === kind) return true;
    this.unscan();
    return false;
  }

  /** Takes the next words, which have to be these. Returns the last. */
  expect(...kinds: readonly TokenKind[]): Token {
    let token: Token | undefined;
    for (const kind of kinds) {
      token = this.scanWord();
      if (token.kind !== kind) throw this.unexpected(token, kind);
    }
    return token ?? this.scanWord();
  }

  /** The character after the last token that was read; '' at the end. */
  peekCharacter(): string {
    return this.#scanner.peek();
  }

  /** Skips one run of white space, if the next token is one. */
  skipSpace(): void {
    if (this.scan().kind !== 'space') this.unscan();
  }

  /** The pattern of a regular expression if one stands here, or a parameter that is one. */
  regex(): Token | undefined {
    if (/^[ \t\n]/.test(this.peekCharacter())) this.skipSpace();
    const character = this.peekCharacter();
    if (character === '$') {
      const token = this.scan();
      this.unscan();
      if (token.kind !== 'regex') return undefined;
    } else if (character !== '/') {
      return undefined;
    }
    const token = this.#take(() => this.#scanner.scanRegex());
    if (token.kind !== 'regex') throw this.unexpected(token, 'a regular expression');
    return token;
  }

  /** Runs a part that may contain itself. */
  nested<T>(part: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw this.overLimit(
        `the statement has more than ${MAX_DEPTH} parentheses within each other`,
      );
    }
    const result = part();
    this.#depth -= 1;
    return result;
  }

  /** Whether a pattern may still be compiled. */
  affords(pattern: string): boolean {
    const perCharacter = pattern.includes('{') ? REPEATED_COST : 1;
    this.#regexBudget -= COMPILE_COST + pattern.length * perCharacter;
    return !this.isRegexUnchecked;
  }

  /** A pattern was taken without a look at it. */
  get isRegexUnchecked(): boolean {
    return this.#regexBudget < 0;
  }

  /** Refuses for our own sake what influxd might take. */
  overLimit(why: string): AppError {
    this.isOverLimit = true;
    return refuse(why);
  }

  unexpected(token: Token, wanted: string): AppError {
    const found = token.value === '' ? token.kind : token.value.slice(0, 50);
    return refuse(`found ${found}, expected ${wanted} at character ${token.start + 1}`);
  }

  #take(scan: () => Token): Token {
    let token = this.#read[this.#next];
    if (token === undefined) {
      token = scan();
      this.#read.push(token);
    }
    this.#next += 1;
    return token.kind === 'parameter' ? this.#bound(token) : token;
  }

  #bound(token: Token): Token {
    if (!Object.hasOwn(this.#params, token.value)) return token;
    const bound = bindValue(this.#params[token.value]);
    return bound.kind === 'unusable' ? token : { ...token, ...bound };
  }
}
