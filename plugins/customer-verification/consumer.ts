import type { Consumer, Kong } from 'kong-ts-pluginserver';
import { failed, type Refused } from './verdict.js';

/** The consumer that stands for a customer, or why there is none. */
export type ConsumerResult = { readonly consumer: Consumer } | { readonly refused: Refused };

/**
 * Loads the Kong consumer of a customer. The PDK finds consumers by id and by username only, so one of the two must
 * be the customer's uuid; a `custom_id`, where the consumer has one, must be the uuid as well.
 */
export async function findConsumer(kong: Kong, uuid: string): Promise<ConsumerResult> {
  const consumer = await kong.client.loadConsumer(uuid, true);
  if (!consumer?.id) {
    const message = `no Kong consumer has the id or username ${uuid}`;
    return { refused: failed(403, 'consumer_missing', message) };
  }
  if (consumer.custom_id && consumer.custom_id !== uuid) {
    const message = `the Kong consumer with the id or username ${uuid} has another custom_id`;
    return { refused: failed(403, 'consumer_missing', message) };
  }
  return { consumer };
}

/**
 * Makes the consumer the request's own, for the plugins that run later, and tells the upstream as Kong's own
 * authentication plugins do; what the client sent of these headers must have been removed. Nothing waits for Kong.
 */
export async function authenticateAs(kong: Kong, consumer: Consumer): Promise<void> {
  await kong.client.authenticate(consumer, null);
  const { request } = kong.service;
  await request.setHeader('X-Consumer-ID', consumer.id);
  if (consumer.custom_id) await request.setHeader('X-Consumer-Custom-ID', consumer.custom_id);
  if (consumer.username) await request.setHeader('X-Consumer-Username', consumer.username);
}
