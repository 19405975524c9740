import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';

/** A certificate for 127.0.0.1 that signs itself, with its key; PEM. */
export interface Certificate {
  /** The file that holds `cert`, for NODE_EXTRA_CA_CERTS. */
  readonly path: string;
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate in `folder` with openssl for 127.0.0.1 and `hosts`, valid for two days. */
export function makeCertificate(folder: string, name: string, hosts: readonly string[] = []): Certificate {
  const [path, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  const names = ['IP:127.0.0.1', ...hosts.map((host) => `DNS:${host}`)].join(',');
  args.push('-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', path);
  execFileSync('openssl', args, { stdio: 'pipe' });
  return { path, cert: readFileSync(path, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** Speaks TLS before a server that does not, with a certificate that can be exchanged. */
export class TlsProxy {
  /** The ports from which connections came. */
  readonly from: number[] = [];
  /** Connections whose other end did not take the certificate. */
  refused = 0;
  private readonly sockets = new Set<TLSSocket>();

  private constructor(private readonly server: Server) {}

  static async start(target: number, certificate: Certificate): Promise<TlsProxy> {
    const server = createServer(certificate);
    const proxy = new TlsProxy(server);
    server.on('secureConnection', (socket) => {
      proxy.sockets.add(socket);
      proxy.from.push(socket.remotePort ?? 0);
      const onward = connect(target, '127.0.0.1');
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      socket.on('close', () => proxy.sockets.delete(socket));
      socket.pipe(onward).pipe(socket);
    });
    server.on('tlsClientError', () => (proxy.refused += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Shows another certificate from now on, and ends what is connected. */
  show(certificate: Certificate): void {
    this.server.setSecureContext(certificate);
    for (const socket of this.sockets) socket.destroy();
  }

  async end(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
