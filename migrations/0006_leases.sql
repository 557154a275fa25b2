-- Several processes on one database: who is there, and who watches which chain.
CREATE TABLE processes (
    id      uuid PRIMARY KEY,                -- made anew at each start
    chains  text[] NOT NULL,                 -- that it serves
    unable  text[] NOT NULL,                 -- of them, those that it could not read lately
    session integer,                         -- of its bell: when that is gone, so is the process; null: not seen
    until   timestamptz NOT NULL             -- by this database's clock; it says so again long before
);

CREATE TABLE chain_leases (
    chain  text PRIMARY KEY,
    holder uuid NOT NULL,                    -- a lease ends with its holder, or when he lets go
    told   text                              -- how the chain is, for those who do not watch it: JSON
);

CREATE VIEW living_processes AS
SELECT id, chains, unable FROM processes p
WHERE until > now() AND (session IS NULL OR EXISTS (
    SELECT FROM pg_stat_activity a WHERE a.pid = p.session AND a.application_name = 'ctrip bell'
));
