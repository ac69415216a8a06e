// Puts the results of several statements, run one by one, together into the one answer that influxd would have given. What
// streams in streams out.
import type { Answer } from './answer.js';
import { packedHead, packedResult } from './msgpack-write.js';
import type { AnswerForm } from './port.js';
import { csvResult, jsonResult, type StatementResult } from './results.js';
import { COMPACT, PRETTY, rewrite, type Rewritten } from './rewrite.js';

export type Output = Pick<Answer, 'add' | 'write'>;

export class Merger {
  private isFirst = true;

  /** `count`: results that the answer will have. */
  constructor(
    private readonly output: Output,
    private readonly form: AnswerForm,
    private readonly count: number,
  ) {}

  /** A result that was made here. */
  async result(id: number, result: StatementResult): Promise<void> {
    const { form, output } = this;
    if (form.format === 'csv') {
      const lines = csvResult(result);
      if (lines !== '') await output.add(Buffer.from(`${this.separator()}${lines}`));
      return;
    }
    if (form.format === 'msgpack') {
      await output.add(Buffer.concat([this.packedBefore(), packedResult(id, result, form)]));
      return;
    }
    const { head, tail } = this.shape;
    const json = jsonResult(id, result, form);
    const text = form.isChunked ? `${head}${json}${tail}` : `${this.separator()}${json}`;
    await output.add(Buffer.from(text));
  }

  /** The answer to one statement from an owner. Throws UnknownAnswer, or what broke the answer off. */
  async stream(id: number, body: AsyncIterable<Buffer>): Promise<Rewritten> {
    const seen: Rewritten = { isError: false, bytes: 0 };
    let isBegun = false;
    for await (const piece of rewrite(body, id, this.form, seen)) {
      if (!isBegun) await this.output.write(this.before());
      isBegun = true;
      await this.output.write(piece);
    }
    return seen;
  }

  async end(): Promise<void> {
    const { format, isChunked } = this.form;
    if (isChunked || format === 'csv') return;
    if (format === 'msgpack') await this.output.add(this.isFirst ? packedHead(0) : Buffer.alloc(0));
    else await this.output.add(Buffer.from(this.isFirst ? '{}\n' : this.shape.tail));
  }

  private get shape() {
    return this.form.isPretty ? PRETTY : COMPACT;
  }

  private before(): Buffer {
    const { format, isChunked } = this.form;
    if (format === 'msgpack') return isChunked ? Buffer.alloc(0) : this.packedBefore();
    if (format === 'json' && isChunked) return Buffer.alloc(0);
    return Buffer.from(this.separator());
  }

  private separator(): string {
    const { isFirst } = this;
    this.isFirst = false;
    // A blank line is between two statements' lines.
    if (this.form.format === 'csv') return isFirst ? '' : '\n';
    return isFirst ? this.shape.head : this.shape.comma;
  }

  private packedBefore(): Buffer {
    const { isFirst, form } = this;
    this.isFirst = false;
    if (form.isChunked) return packedHead(1);
    return isFirst ? packedHead(this.count) : Buffer.alloc(0);
  }
}
