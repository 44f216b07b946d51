create table if not exists api_key (
  -- SHA-256 of the key, in hexadecimal digits.
  hash  text primary key,
  owner text not null
);

-- The key "demo". Never load this into a database that guards anything.
insert into api_key (hash, owner)
values (encode(sha256('demo'), 'hex'), 'jo')
on conflict do nothing;
