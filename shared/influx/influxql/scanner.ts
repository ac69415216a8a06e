// Cuts InfluxQL into tokens as influxd does, oddities included (`foo"bar"` is the identifier bar, `1.` is a number): what it
// refuses we have to refuse, and what it takes for one token must not become two here. Never backtracks: linear in the text.
import { keywordOf } from './token.js';
import type { Token, TokenKind } from './token.js';

const PUNCTUATION: Readonly<Record<string, readonly TokenKind[]>> = {
  '.': ['.'],
  '+': ['+'],
  '-': ['-'],
  '*': ['*'],
  '/': ['/'],
  '%': ['%'],
  '&': ['&'],
  '|': ['|'],
  '^': ['^'],
  '(': ['('],
  ')': [')'],
  ',': [','],
  ';': [';'],
  // Longest first.
  '=': ['=~', '='],
  '!': ['!=', '!~'],
  '>': ['>=', '>'],
  '<': ['<=', '<'],
  ':': ['::', ':'],
};

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '\\': '\\', '"': '"', "'": "'" };

export class Scanner {
  #at = 0;

  constructor(readonly text: string) {}

  /** The next character, a carriage return read as a line feed; '' at the end. */
  peek(): string {
    return plain(this.text.charAt(this.#at));
  }

  /** The next token; at the end `end`, again and again. */
  scan(): Token {
    const start = this.#at;
    const first = this.peek();
    if (first === '') return this.#token('end', '', start);
    if (isSpace(first)) return this.#space(start);
    if (isLetter(first) || first === '_' || first === '"') return this.#identifier(start, true);
    if (isDigit(first) || (first === '.' && isDigit(this.text.charAt(start + 1)))) {
      return this.#number(start);
    }
    if (first === "'") return this.#quoted(start, 'string');
    if (first === '$') return this.#parameter(start);
    const comment = this.#comment(start);
    return comment ?? this.#punctuation(start, first);
  }

  /** Where the parser expects a regular expression: `/.../`, in which only `\/` is an escape. */
  scanRegex(): Token {
    const start = this.#at;
    if (this.peek() !== '/') return this.#token('bad-regex', '', start);
    this.#at += 1;
    let value = '';
    for (;;) {
      const from = this.#at;
      while (this.#at < this.text.length && !'/\\\n\r'.includes(this.text.charAt(this.#at))) {
        this.#at += 1;
      }
      value += this.text.slice(from, this.#at);
      const character = this.peek();
      this.#at += 1;
      if (character === '/') return this.#token('regex', value, start);
      if (character !== '\\') return this.#token('bad-regex', value, start);
      // A backslash before anything else stays, and what follows it is read as if it stood alone.
      if (this.peek() === '/') {
        value += '/';
        this.#at += 1;
      } else {
        value += '\\';
      }
    }
  }

  #space(start: number): Token {
    while (isSpace(this.peek())) this.#at += 1;
    return this.#token('space', '', start);
  }

  #comment(start: number): Token | undefined {
    if (this.text.startsWith('--', start)) {
      const feed = this.text.slice(start).search(/[\r\n]/);
      this.#at = feed === -1 ? this.text.length : start + feed + 1;
      if (this.text.startsWith('\r\n', this.#at - 1)) this.#at += 1;
      return this.#token('comment', '', start);
    }
    if (!this.text.startsWith('/*', start)) return undefined;
    const close = this.text.indexOf('*/', start + 2);
    this.#at = close === -1 ? this.text.length : close + 2;
    return this.#token(close === -1 ? 'illegal' : 'comment', '', start);
  }

  #punctuation(start: number, first: string): Token {
    if (this.text.startsWith('<>', start)) {
      this.#at += 2;
      return this.#token('!=', '', start);
    }
    const found = PUNCTUATION[first]?.find((sign) => this.text.startsWith(sign, start));
    if (found !== undefined) {
      this.#at += found.length;
      return this.#token(found, '', start);
    }
    this.#at += 1;
    return this.#token('illegal', first, start);
  }

  #identifier(start: number, areKeywords: boolean): Token {
    while (isWord(this.peek())) this.#at += 1;
    // A quote ends the bare part, and what was read of it is forgotten: influxd does so.
    if (this.peek() === '"') return { ...this.#quoted(this.#at, 'identifier'), start };
    const value = this.text.slice(start, this.#at);
    const keyword = areKeywords ? keywordOf(value) : undefined;
    if (keyword !== undefined) return this.#token(keyword, '', start);
    return this.#token('identifier', value, start);
  }

  #parameter(start: number): Token {
    this.#at += 1;
    const name = this.#identifier(this.#at, false);
    return { ...name, kind: name.kind === 'identifier' ? 'parameter' : name.kind, start };
  }

  #quoted(start: number, kind: 'string' | 'identifier'): Token {
    const quote = this.text.charAt(start);
    this.#at = start + 1;
    let value = '';
    for (;;) {
      const from = this.#at;
      while (
        this.#at < this.text.length &&
        !(quote + '\\\n\r').includes(this.text.charAt(this.#at))
      ) {
        this.#at += 1;
      }
      value += this.text.slice(from, this.#at);
      const character = this.peek();
      this.#at += 1;
      if (character === quote) return this.#token(kind, value, start);
      const escaped = character === '\\' ? ESCAPES[this.peek()] : undefined;
      if (escaped === undefined) return this.#token('bad-string', value, start);
      value += escaped;
      this.#at += 1;
    }
  }

  #number(start: number): Token {
    this.#digits();
    if (this.peek() === '.') {
      // The point belongs to the number even where no digit follows; such a value is written without it.
      const whole = this.#at;
      this.#at += 1;
      const hasFraction = isDigit(this.peek());
      this.#digits();
      return this.#token('number', this.text.slice(start, hasFraction ? this.#at : whole), start);
    }
    if (!isUnit(this.peek()))
      return this.#token('integer', this.text.slice(start, this.#at), start);
    while (isUnit(this.peek()) || isDigit(this.peek())) this.#at += 1;
    return this.#token('duration', this.text.slice(start, this.#at), start);
  }

  #digits(): void {
    while (isDigit(this.peek())) this.#at += 1;
  }

  #token(kind: TokenKind, value: string, start: number): Token {
    this.#at = Math.min(this.#at, this.text.length);
    return { kind, value, start, end: this.#at };
  }
}

function plain(character: string): string {
  return character === '\r' ? '\n' : character;
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\n';
}

function isLetter(character: string): boolean {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

function isWord(character: string): boolean {
  return isLetter(character) || isDigit(character) || character === '_';
}

/** May stand in a duration: letters, and the sign for micro. */
function isUnit(character: string): boolean {
  return isLetter(character) || character === 'µ';
}
