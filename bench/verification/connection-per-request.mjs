import { hash, timingSafeEqual } from 'node:crypto';
import pg from 'pg';

/** What customer-verification replaces: it connects to the database for every request. */
export const Schema = [];
export const version = '1.0.0';
export const priority = 9;

export class Plugin {
  async access(kong) {
    const headers = await kong.request.getHeaders();
    const id = headers['client-certificate-id'];
    const client = new pg.Client({
      host: process.env.SERVER_DB_HOST,
      port: Number(process.env.SERVER_DB_PORT),
      database: process.env.SERVER_DB_DATABASE,
      user: process.env.SERVER_DB_USER,
      password: process.env.SERVER_DB_PASSWORD,
    });
    await client.connect();
    const { rows } = await client.query('select uuid, authentication from customer where certificate = $1', [
      id,
    ]);
    await client.end();
    const key = rows[0]?.authentication.client_key;
    const wanted = Buffer.from(hash('sha256', `${id}|${key}|${headers['client-request-time']}`));
    const given = Buffer.from(headers['client-request-signature']);
    if (!key || given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      await kong.response.exit(403, 'Access Forbidden');
    }
    kong.service.request.setHeader('X-Customer-Id', rows[0].uuid);
  }
}
