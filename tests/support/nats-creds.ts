/** What `nsc` makes: an operator, an account and a user who holds a .creds file, and the server's side of it. */
import { createHash } from 'node:crypto';
import { nkeys } from '@nats-io/transport-node';

export interface NatsOperator {
  /** Lines of the server's configuration. */
  readonly configuration: string;
  /** The text of a .creds file. */
  readonly creds: string;
  /** The secret part of it. */
  readonly seed: string;
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

export function createNatsOperator(): NatsOperator {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const unlimited = { subs: -1, data: -1, payload: -1 };
  const operatorJwt = sign('operator', operator, operator, { type: 'operator', version: 2 });
  const accountJwt = sign('account', account, operator, {
    limits: { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
    type: 'account',
    version: 2,
  });
  const userJwt = sign('user', user, account, { ...unlimited, type: 'user', version: 2 });
  const seed = new TextDecoder().decode(user.getSeed());
  return {
    configuration: `operator: ${operatorJwt}\nresolver: MEMORY\nresolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`,
    creds: `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    seed,
  };
}

function sign(name: string, subject: KeyPair, issuer: KeyPair, nats: object): string {
  const claim = { iat: 1_700_000_000, iss: issuer.getPublicKey(), name, sub: subject.getPublicKey(), nats };
  const jti = createHash('sha256').update(JSON.stringify(claim)).digest('hex').slice(0, 32).toUpperCase();
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode({ jti, ...claim })}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')}`;
}
