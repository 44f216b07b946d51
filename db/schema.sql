-- The customers whose signed requests the plugin customer-verification lets through.

create table if not exists customer (
  uuid           uuid        primary key default gen_random_uuid(),
  -- What clients send as "client-certificate-id".
  certificate    text        not null unique check (certificate <> ''),
  -- {"client_key": "…"}: the key that the client signs with. For a change of keys without a gap, beside or instead of
  -- it: "client_keys": [{"key": "…", "not_before": "…", "not_after": "…"}]. {"revoked": true} refuses the customer.
  authentication jsonb       not null check (jsonb_typeof(authentication) = 'object'),
  created_at     timestamptz not null default now()
);

-- Every change is announced on the channel customer_changed, with the certificate as the payload or an empty payload
-- for "any number of them", so that plugin servers forget the customers they remember. Without these triggers a change
-- takes effect when what they remember expires (cache_ttl).
create or replace function announce_customer_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'TRUNCATE' then
    perform pg_notify('customer_changed', '');
  -- Many at once, or one whose certificate does not fit into a payload (8000 bytes): everything is to be forgotten.
  elsif exists (select from changed offset 1000)
     or exists (select from changed where octet_length(certificate) >= 8000) then
    perform pg_notify('customer_changed', '');
  else
    perform pg_notify('customer_changed', certificate) from changed;
  end if;
  return null;
end
$$;

create or replace trigger customer_inserted after insert on customer
  referencing new table as changed for each statement execute function announce_customer_change();
-- An update may change the certificate itself: the old one and the new one are both announced.
create or replace trigger customer_updated_from after update on customer
  referencing old table as changed for each statement execute function announce_customer_change();
create or replace trigger customer_updated_to after update on customer
  referencing new table as changed for each statement execute function announce_customer_change();
create or replace trigger customer_deleted after delete on customer
  referencing old table as changed for each statement execute function announce_customer_change();
create or replace trigger customer_truncated after truncate on customer
  for each statement execute function announce_customer_change();
