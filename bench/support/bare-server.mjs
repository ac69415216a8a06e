// The reference for fan-out: plain node:http that holds every read until a write comes, and then answers all of them with
// its bytes. It keeps nothing, checks nothing and knows one cluster.
import { createServer } from 'node:http';

const waiting = new Set();
let version = 0;

const server = createServer((request, response) => {
  if (request.url === '/metrics') {
    response.end(`clusterflux_manager_waiting_readers ${waiting.size}\n`);
  } else if (request.method === 'GET') {
    waiting.add(response);
  } else {
    takeWrite(request, response);
  }
});

function takeWrite(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const bytes = Buffer.concat(parts);
    version += 1;
    for (const reader of [...waiting, response]) answer(reader, bytes);
    waiting.clear();
  });
}

function answer(response, bytes) {
  const headers = { etag: '"bare"', 'x-clusterflux-version': version };
  response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
}

server.listen(0, '127.0.0.1', () => {
  process.send(`http://127.0.0.1:${server.address().port}`);
});
