import { expect } from 'chai';
import fc from 'fast-check';
import type { AnswerForm } from '../../../../../agent/gateway/query/port.js';
import { rewrite, UnknownAnswer } from '../../../../../agent/gateway/query/rewrite.js';

const JSON_FORM: AnswerForm = {
  format: 'json',
  isPretty: false,
  isChunked: false,
  epoch: undefined,
};

/** The bytes in pieces, cut at these offsets. */
async function* inPieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const offsets = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const offset of [...offsets, bytes.length]) {
    if (offset > from) yield bytes.subarray(from, offset);
    from = offset;
  }
}

async function rewritten(bytes: Buffer, cuts: readonly number[], id: number, form: AnswerForm) {
  const seen = { isError: false, bytes: 0 };
  const parts: Buffer[] = [];
  for await (const part of rewrite(inPieces(bytes, cuts), id, form, seen)) parts.push(part);
  return { text: Buffer.concat(parts).toString('latin1'), seen };
}

const ROWS =
  '"series":[{"name":"a]}\\n","columns":["time","s"],"values":[[1,"{\\"results\\":[{"]]}]';
const PRETTY_DOCUMENT =
  '{\n    "results": [\n        {\n            "statement_id": 0,\n            "series": [\n                {}\n            ]\n        }\n    ]\n}\n';

/** `{"results":[{"statement_id":0,"series":[]}]}` as influxd packs it. */
const PACKED = Buffer.from(
  '81a7726573756c74739182ac73746174656d656e745f696400a673657269657390',
  'hex',
);
const PACKED_ERROR = Buffer.from('81a7726573756c74739181a56572726f72a16e', 'hex');

interface Example {
  readonly name: string;
  readonly form: AnswerForm;
  readonly answer: Buffer;
  /** With the number 7. */
  readonly result: Buffer;
  readonly isError?: boolean;
}

const EXAMPLES: readonly Example[] = [
  {
    name: 'JSON in one document',
    form: JSON_FORM,
    answer: Buffer.from(`{"results":[{"statement_id":0,${ROWS}}]}\n`),
    result: Buffer.from(`{"statement_id":7,${ROWS}}`),
  },
  {
    name: 'a result without series',
    form: JSON_FORM,
    answer: Buffer.from('{"results":[{"statement_id":0}]}\n'),
    result: Buffer.from('{"statement_id":7}'),
  },
  {
    name: 'an error',
    form: JSON_FORM,
    answer: Buffer.from('{"results":[{"statement_id":0,"error":"no"}]}\n'),
    result: Buffer.from('{"statement_id":7,"error":"no"}'),
    isError: true,
  },
  { name: 'no result', form: JSON_FORM, answer: Buffer.from('{}\n'), result: Buffer.alloc(0) },
  {
    name: 'pretty JSON',
    form: { ...JSON_FORM, isPretty: true },
    answer: Buffer.from(PRETTY_DOCUMENT),
    result: Buffer.from(
      '        {\n            "statement_id": 7,\n            "series": [\n                {}\n            ]\n        }',
    ),
  },
  {
    name: 'chunked JSON that ends in an error',
    form: { ...JSON_FORM, isChunked: true },
    answer: Buffer.from(
      `{"results":[{"statement_id":0,${ROWS}}]}\n{"results":[{"statement_id":0}]}\n{"results":[{"statement_id":0,"error":"no"}]}\n`,
    ),
    result: Buffer.from(
      `{"results":[{"statement_id":7,${ROWS}}]}\n{"results":[{"statement_id":7}]}\n{"results":[{"statement_id":7,"error":"no"}]}\n`,
    ),
    isError: true,
  },
  {
    name: 'chunked pretty JSON',
    form: { ...JSON_FORM, isChunked: true, isPretty: true },
    answer: Buffer.from(PRETTY_DOCUMENT + PRETTY_DOCUMENT),
    result: Buffer.from((PRETTY_DOCUMENT + PRETTY_DOCUMENT).replaceAll(': 0', ': 7')),
  },
  {
    name: 'MessagePack',
    form: { ...JSON_FORM, format: 'msgpack' },
    answer: PACKED,
    result: Buffer.from('82ac73746174656d656e745f696407a673657269657390', 'hex'),
  },
  {
    name: 'chunked MessagePack that ends in an error',
    form: { ...JSON_FORM, format: 'msgpack', isChunked: true },
    answer: Buffer.concat([PACKED, PACKED, PACKED_ERROR]),
    result: Buffer.concat([
      Buffer.from(PACKED.toString('hex').replaceAll('6400a6', '6407a6'), 'hex'),
      Buffer.from(PACKED.toString('hex').replaceAll('6400a6', '6407a6'), 'hex'),
      PACKED_ERROR,
    ]),
    isError: true,
  },
  {
    name: 'CSV',
    form: { ...JSON_FORM, format: 'csv' },
    answer: Buffer.from('name,tags,time,v\ncpu,,1,2\n'),
    result: Buffer.from('name,tags,time,v\ncpu,,1,2\n'),
  },
];

describe('rewrite', () => {
  for (const { name, form, answer, result, isError = false } of EXAMPLES) {
    it(`gives ${name} its number, wherever the network cuts it`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async (cuts) => {
          const { text, seen } = await rewritten(answer, cuts, 7, form);
          expect(text).to.equal(result.toString('latin1'));
          expect(seen).to.deep.equal({ isError, bytes: result.length });
        }),
        { numRuns: 60 },
      );
    });

    if (form.format !== 'csv') {
      it(`does not take a part of ${name} for the whole`, async () => {
        const error = await rewritten(answer.subarray(0, -1), [], 7, form).catch(
          (thrown: unknown) => thrown,
        );
        expect(error).to.be.instanceOf(UnknownAnswer);
      });
    }
  }

  it('writes large numbers as influxd packs them', async () => {
    const form = { ...JSON_FORM, format: 'msgpack' } as const;
    const { text } = await rewritten(PACKED, [], 300, form);
    expect(Buffer.from(text, 'latin1').toString('hex')).to.include('6964d1012ca6');
  });
});
