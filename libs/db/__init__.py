"""One Postgres database a service: engine, transactions, outbox, migrations, leases."""
