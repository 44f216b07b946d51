import type { Pool, PoolClient } from 'pg';
import { pg } from '../drivers.js';
import { CustomerTableError } from './errors.js';
import { type Authentication, describeKeys, withNewKey } from './rotation.js';

/** A customer as the list shows it: never with a key. */
export interface ListedCustomer {
  uuid: string;
  certificate_id: string;
  status: 'active' | 'revoked' | 'malformed';
  keys: { not_before?: string; not_after?: string }[];
}

/** The ids of a customer. */
export interface CustomerIds {
  uuid: string;
  certificate_id: string;
}

const PAGE = 1000;
const UNIQUE_VIOLATION = '23505';

/** The table `customer` of db/schema.sql, for whoever administers it. */
export class CustomerTable {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** @throws CustomerTableError `CUSTOMER_EXISTS` */
  async add(certificateId: string, key: string, uuid?: string): Promise<CustomerIds> {
    try {
      const { rows } = await this.#pool.query<CustomerIds>(
        `insert into customer (uuid, certificate, authentication)
         values (coalesce($1::uuid, gen_random_uuid()), $2, $3) returning uuid, certificate as certificate_id`,
        [uuid ?? null, certificateId, { client_key: key }],
      );
      return rows[0] as CustomerIds;
    } catch (error) {
      if (!(error instanceof pg().DatabaseError) || error.code !== UNIQUE_VIOLATION) throw error;
      throw new CustomerTableError(
        'CUSTOMER_EXISTS',
        'there is a customer with this certificate id or uuid already',
      );
    }
  }

  /** All customers by certificate id, a page at a time. */
  async *list(): AsyncGenerator<ListedCustomer[]> {
    let after: string | null = null;
    for (;;) {
      const { rows }: { rows: { uuid: string; certificate_id: string; authentication: unknown }[] } =
        await this.#pool.query(
          `select uuid, certificate as certificate_id, authentication from customer
           where $1::text is null or certificate > $1 order by certificate limit ${PAGE}`,
          [after],
        );
      if (rows.length > 0)
        yield rows.map(({ authentication, ...ids }) => ({ ...ids, ...describeKeys(authentication) }));
      if (rows.length < PAGE) return;
      after = rows.at(-1)?.certificate_id ?? null;
    }
  }

  /**
   * Gives a customer a new key; see `withNewKey`.
   *
   * @throws CustomerTableError `CUSTOMER_UNKNOWN`, `CUSTOMER_REVOKED`, `CUSTOMER_MALFORMED`
   */
  rotate(certificateId: string, key: string, overlapMs: number): Promise<CustomerIds> {
    return this.#change(certificateId, (authentication) =>
      withNewKey(authentication, key, Date.now(), overlapMs),
    );
  }

  /** Refuses a customer from now on. @throws CustomerTableError `CUSTOMER_UNKNOWN` */
  revoke(certificateId: string): Promise<CustomerIds> {
    return this.#change(certificateId, (authentication) => ({ ...authentication, revoked: true }));
  }

  async #change(
    certificateId: string,
    change: (authentication: Authentication) => Authentication,
  ): Promise<CustomerIds> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      const ids = await changeLocked(client, certificateId, change);
      await client.query('commit');
      client.release();
      return ids;
    } catch (error) {
      // Ends the transaction with the connection, whatever state it is in.
      client.release(true);
      throw error;
    }
  }
}

async function changeLocked(
  client: PoolClient,
  certificateId: string,
  change: (authentication: Authentication) => Authentication,
): Promise<CustomerIds> {
  const { rows } = await client.query<CustomerIds & { authentication: Authentication }>(
    'select uuid, certificate as certificate_id, authentication from customer where certificate = $1 for update',
    [certificateId],
  );
  const [row] = rows;
  if (!row) throw new CustomerTableError('CUSTOMER_UNKNOWN', 'there is no customer with this certificate id');
  const { authentication, ...ids } = row;
  await client.query('update customer set authentication = $2 where certificate = $1', [
    certificateId,
    change(authentication),
  ]);
  return ids;
}
