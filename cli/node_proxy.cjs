// Leads Node's fetch, http and https through HTTPS_PROXY on versions that do not do so by themselves.
//
// `aaf run` sets it by NODE_OPTIONS=--require. Needs no package: it gives the fetch that is built in, and the two global agents,
// sockets that went through a CONNECT. Plain http goes through a CONNECT to its port too, and is judged inside the tunnel.
'use strict';

const net = require('node:net');
const tls = require('node:tls');
const http = require('node:http');
const https = require('node:https');

const given = process.env.HTTPS_PROXY || process.env.https_proxy;

// Node 24 and 22.21 read the variables themselves when NODE_USE_ENV_PROXY is set.
const [major, minor] = process.versions.node.split('.').map(Number);
const knows = process.env.NODE_USE_ENV_PROXY === '1' && (major >= 24 || (major === 22 && minor >= 21));

if (given && !knows) {
  const proxy = new URL(given);
  const credential = Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`).toString('base64');
  const HEAD_LIMIT = 65536;

  const dial = () => {
    const port = Number(proxy.port || (proxy.protocol === 'https:' ? 443 : 80));
    const host = proxy.hostname.replace(/^\[|\]$/g, '');
    return proxy.protocol === 'https:' ? tls.connect({ host, port, servername: net.isIP(host) ? undefined : host }) : net.connect({ host, port });
  };

  // A socket to host:port through the proxy; `callback(error, socket)`, once.
  const tunnel = (host, port, callback) => {
    const name = net.isIPv6(host) ? `[${host}]` : host;
    const socket = dial();
    let head = Buffer.alloc(0);
    let done = false;
    const finish = (error) => {
      if (done) return;
      done = true;
      socket.removeListener('data', read);
      socket.removeListener('error', finish);
      socket.removeListener('close', closed);
      if (error) {
        socket.destroy();
        callback(error);
      } else {
        socket.pause();
        callback(null, socket);
      }
    };
    const closed = () => finish(new Error('the proxy closed the connection'));
    const read = (chunk) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) {
        if (head.length > HEAD_LIMIT) finish(new Error('the proxy answered too much'));
        return;
      }
      const line = head.subarray(0, head.indexOf('\r\n')).toString('latin1');
      const status = Number(line.split(' ')[1]);
      if (status !== 200) return finish(new Error(`the proxy refused the connection: ${line.slice(9)}`));
      const rest = head.subarray(end + 4);
      if (rest.length) socket.unshift(rest);
      finish(null);
    };
    socket.on('data', read);
    socket.once('error', finish);
    socket.once('close', closed);
    socket.once(proxy.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      socket.write(`CONNECT ${name}:${port} HTTP/1.1\r\nHost: ${name}:${port}\r\nProxy-Authorization: Basic ${credential}\r\n\r\n`);
    });
  };

  const secured = (socket, options, callback) => {
    const host = options.servername || options.host || options.hostname;
    const secure = tls.connect({ ...options, socket, servername: net.isIP(host) ? undefined : host, ALPNProtocols: ['http/1.1'] });
    const failed = (error) => callback(error);
    secure.once('error', failed);
    secure.once('secureConnect', () => {
      secure.removeListener('error', failed);
      callback(null, secure);
    });
  };

  const connection = (secure) => (options, callback) => {
    const host = options.hostname || options.host;
    const port = Number(options.port || (secure ? 443 : 80));
    tunnel(host, port, (error, socket) => {
      if (error) return callback(error);
      if (!secure) return callback(null, socket);
      secured(socket, { ...options, host, port: undefined, path: undefined }, callback);
    });
  };

  const agent = (Base, secure) => {
    class Through extends Base {
      createConnection(options, callback) {
        connection(secure)(options, callback);
      }
    }
    return new Through({ keepAlive: true });
  };
  http.globalAgent = agent(http.Agent, false);
  https.globalAgent = agent(https.Agent, true);

  // The built-in fetch takes its connections from a dispatcher that is found by this symbol; its class makes another one.
  const symbol = Symbol.for('undici.globalDispatcher.1');
  const install = () => {
    const current = globalThis[symbol];
    if (!current) return false;
    globalThis[symbol] = new current.constructor({
      connect: (options, callback) => {
        const secure = options.protocol === 'https:';
        connection(secure)({ hostname: options.hostname, port: options.port, servername: options.servername || undefined }, callback);
      },
    });
    return true;
  };
  if (!install() && typeof globalThis.fetch === 'function') {
    const original = globalThis.fetch;
    let ready = false;
    globalThis.fetch = (...parameters) => {
      if (!ready) {
        // The dispatcher is made when fetch is first used; a request to nowhere makes it without touching the network.
        ready = install() || (original('data:,').catch(() => {}), install());
      }
      return original(...parameters);
    };
  }
}
