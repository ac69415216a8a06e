// Lines of hints: halves that lose nothing, and the lines that a refusal of influxd is about.
import { expect } from 'chai';
import fc from 'fast-check';
import { blamedLines, halve, linesOf } from '../../../../../agent/gateway/handoff/lines.js';

const texts = (lines: readonly Buffer[]): string[] => lines.map((line) => line.toString());

describe('lines of hints', () => {
  it('end at newlines outside of string values', () => {
    const body = 'a v=1 1\nb,t=" v="x\ny\\"\nz" 2\nc v=3 3\n';
    expect(texts(linesOf(Buffer.from(body)))).to.deep.equal([
      'a v=1 1',
      'b,t=" v="x\ny\\"\nz" 2',
      'c v=3 3',
    ]);
  });

  it('make halves that together are the whole, for any text', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a v=1 1', 'b v="\n" 2', 'c v="\\"" 3')), (lines) => {
        const body = Buffer.from(lines.join('\n'));
        const halves = halve(body);
        if (lines.length < 2) expect(halves).to.equal(undefined);
        else expect(texts(halves ?? []).join('\n')).to.equal(body.toString());
      }),
    );
  });

  it('are blamed by the text, the measurement and field of a conflict, or all', () => {
    const body = Buffer.from('a v=1 1\nb w=2,v=1 2\nb,t=x v=3 3\nbad');
    const conflict =
      'input field "v" on measurement "b" is type float, already exists as type integer';
    expect(
      texts(blamedLines(body, `partial write: field type conflict: ${conflict} dropped=2`)),
    ).to.deep.equal(['b w=2,v=1 2', 'b,t=x v=3 3']);
    expect(texts(blamedLines(body, "unable to parse 'bad': missing fields"))).to.deep.equal([
      'bad',
    ]);
    expect(blamedLines(body, 'partial write: max-values-per-tag limit exceeded')).to.have.length(4);
  });
});
