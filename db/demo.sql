-- One customer to try requests with. The key is public: never load this into a database that guards anything.

insert into customer (uuid, certificate, authentication)
values (
  '3f0d9a52-6c1e-4b7a-9d2f-8e51c0a7b346',
  'demo-certificate',
  '{"client_key": "demo-key"}'
)
on conflict (certificate) do nothing;
