import { expect } from 'chai';
import { brief, redact } from '../../../../agent/influxd/redact.js';

describe('redaction', () => {
  it('takes passwords out of statements, whatever they hold', () => {
    const texts = [
      `CREATE USER "u" WITH PASSWORD 's3cret'`,
      `create user u with password 's3cret' with all privileges`,
      `SET PASSWORD FOR "u \\" = 'x'" = 's3cret'`,
      `SET PASSWORD FOR u = 'a\\'s3cret\\\\'; SHOW DATABASES`,
      `CREATE USER u WITH PASSWORD 's3cret`,
      `CREATE SUBSCRIPTION s ON d.r DESTINATIONS ALL 'http://name:s3cret@host:1'`,
    ];
    for (const text of texts) {
      expect(redact(text)).not.to.contain('s3cret');
      expect(redact(text)).to.contain('[REDACTED]');
    }
  });

  it('leaves everything else as it is', () => {
    const text = `CREATE DATABASE "password" WITH NAME 'http://host:1/x@y'`;
    expect(redact(text)).to.equal(text);
  });

  it('cuts long statements, after redacting them', () => {
    const text = brief(`CREATE USER "u" WITH PASSWORD '${'s3cret'.repeat(100)}'`);
    expect(text).to.equal('CREATE USER "u" WITH PASSWORD [REDACTED]');
    expect(brief(`DROP DATABASE "${'x'.repeat(300)}"`).length).to.be.lessThan(210);
  });
});
