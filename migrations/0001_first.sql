-- Payments, the transfers that fund them, how far each chain was read, and the news to deliver.
--
-- The CHECKs repeat rules of ctrip/core, as a second lock: tests compare the lists with the enums.
-- Addresses of ours keep their EIP-55 spelling; all other hex is lower-case with 0x.
-- Rows are never deleted here, and a reference is written in the statement or transaction that
-- writes or holds what it points to. So there are no foreign keys in the path of a create: a check
-- costs a query and a row lock for each row, and tokens and wallets would be one row for everybody.

CREATE TABLE tokens (
    id       uuid PRIMARY KEY,               -- uuid5 of chain id and contract
    chain    text NOT NULL,
    chain_id bigint NOT NULL,
    contract text NOT NULL CHECK (contract ~ '^0x[0-9a-fA-F]{40}$'),
    symbol   text NOT NULL,
    decimals smallint NOT NULL CHECK (decimals BETWEEN 0 AND 77),
    enabled  boolean NOT NULL                -- false once it has left chains.yaml
);
CREATE UNIQUE INDEX tokens_contract ON tokens (chain_id, lower(contract));

CREATE TABLE wallets (
    fingerprint text PRIMARY KEY,            -- of the account's public key
    next_index  bigint NOT NULL CHECK (next_index BETWEEN 0 AND 2147483648) -- only ever rises
);

CREATE TABLE payments (
    id                     uuid PRIMARY KEY,
    chain                  text NOT NULL CHECK (length(chain) BETWEEN 3 AND 20),
    chain_id               bigint NOT NULL,
    token_id               uuid,             -- null: native coin
    contract               text,
    asset                  text NOT NULL,    -- 'native', or the contract in lower case
    currency               text NOT NULL,
    decimals               smallint NOT NULL,
    address                text NOT NULL CHECK (address ~ '^0x[0-9a-fA-F]{40}$'),
    wallet                 text NOT NULL,
    derivation_index       bigint NOT NULL,
    amount                 numeric(78, 0) NOT NULL,
    confirmations_required integer NOT NULL CHECK (confirmations_required > 0),
    confirmed_by           text CHECK (confirmed_by IN ('safe', 'finalized')), -- stands in for it
    needs_vouching         boolean NOT NULL DEFAULT false, -- a second endpoint must show the money
    accepts_late           boolean NOT NULL,
    created_at             timestamptz NOT NULL,
    expires_at             timestamptz NOT NULL CHECK (expires_at > created_at),
    watched_until          timestamptz NOT NULL CHECK (watched_until >= expires_at),
    order_id               text,
    description            text,
    metadata               jsonb NOT NULL,
    redirect_url           text,
    webhook_url            text,
    stood_until            timestamptz,      -- the end of the last standstill of its chain
    extended_seconds       integer NOT NULL DEFAULT 0 CHECK (extended_seconds >= 0),
    lapsed                 boolean NOT NULL DEFAULT false,
    closed                 boolean NOT NULL DEFAULT false,
    cancelled              boolean NOT NULL DEFAULT false,
    accepted_amount        numeric(78, 0),
    status                 text NOT NULL DEFAULT 'pending',
    flags                  text[] NOT NULL DEFAULT '{}',
    detected_in_block      bigint,
    amount_received        numeric NOT NULL DEFAULT 0, -- a sum: of several, each up to 2^256 - 1
    sequence               integer NOT NULL,
    -- NaN would pass "amount > 0".
    CONSTRAINT payments_amount CHECK (amount BETWEEN 1 AND 2::numeric ^ 256 - 1),
    CONSTRAINT payments_status CHECK (status IN
        ('pending', 'detected', 'confirmed', 'paid', 'settled', 'expired', 'failed')),
    CONSTRAINT payments_flags CHECK (flags <@
        '{underpaid,overpaid,late,wrong_token,reorged,cancelled}'::text[]),
    CONSTRAINT payments_token CHECK ((token_id IS NULL) = (contract IS NULL)
        AND asset = coalesce(lower(contract), 'native')),
    CONSTRAINT payments_detected CHECK ((detected_in_block IS NOT NULL) =
        (status IN ('detected', 'confirmed', 'paid', 'settled')))
);
CREATE UNIQUE INDEX payments_address ON payments (lower(address));
CREATE INDEX payments_open ON payments (chain, watched_until) WHERE NOT closed;
CREATE INDEX payments_pending ON payments (chain, expires_at) WHERE status = 'pending';
CREATE INDEX payments_under_way ON payments (chain, detected_in_block)
    WHERE status IN ('detected', 'confirmed', 'paid');

CREATE TABLE transfers (
    chain        text NOT NULL,
    tx_hash      text NOT NULL,
    asset        text NOT NULL,
    recipient    text NOT NULL,
    ordinal      integer NOT NULL,           -- within the transaction, so a reorg does not move it
    payment_id   uuid NOT NULL REFERENCES payments (id),
    sender       text NOT NULL,
    amount       numeric(78, 0) NOT NULL,    -- 0: a balance that was explained
    block_number bigint NOT NULL,
    block_hash   text NOT NULL,
    block_time   timestamptz NOT NULL,
    source       text NOT NULL CHECK (source IN ('transaction', 'log', 'trace', 'balance')),
    log_index    integer,                    -- null: no log shows it
    first_time   timestamptz,                -- of the earliest block it was in, if another
    vouched      boolean NOT NULL,           -- a second endpoint shows it in this block
    orphaned     boolean NOT NULL,           -- never deleted: a pruned node could not give it back
    CONSTRAINT transfers_amount CHECK (amount BETWEEN 0 AND 2::numeric ^ 256 - 1
        AND (amount > 0 OR source = 'balance')),
    PRIMARY KEY (chain, tx_hash, asset, recipient, ordinal)
);
CREATE INDEX transfers_payment ON transfers (payment_id);
CREATE INDEX transfers_block ON transfers (chain, block_number) WHERE NOT orphaned;

CREATE TABLE cursors (
    chain     text PRIMARY KEY,
    number    bigint NOT NULL,               -- the last block whose money was written
    hash      text NOT NULL,
    time      timestamptz NOT NULL,
    finalized bigint NOT NULL,
    safe      bigint NOT NULL,
    reread    bigint NOT NULL,               -- the last block whose logs were read twice
    moved_at  timestamptz NOT NULL           -- by our clock, when a block was read last
);

CREATE TABLE blocks (                        -- those that a reorg may still replace
    chain  text NOT NULL,
    number bigint NOT NULL,
    hash   text NOT NULL,
    time   timestamptz NOT NULL,
    PRIMARY KEY (chain, number)
);

CREATE TABLE rescans (                       -- ranges to be read beside the newest blocks
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chain      text NOT NULL,
    first      bigint NOT NULL CHECK (first >= 0),
    last       bigint NOT NULL CHECK (last >= first),
    next       bigint NOT NULL CHECK (next BETWEEN first AND last + 1),
    cause      text NOT NULL CHECK (cause IN ('gap', 'operator')),
    read_until timestamptz,                  -- time of block next - 1; deadlines wait for gaps
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CONSTRAINT rescans_ended CHECK ((ended_at IS NOT NULL) = (next > last)),
    CONSTRAINT rescans_gap CHECK (cause <> 'gap' OR read_until IS NOT NULL)
);
CREATE INDEX rescans_open ON rescans (chain, id) WHERE ended_at IS NULL;

CREATE TABLE audits (                        -- the round of all addresses, comparing balances
    chain    text PRIMARY KEY,
    after_id uuid,                           -- the last payment looked at; null: a round begins
    rounds   bigint NOT NULL DEFAULT 0,      -- completed
    ended_at timestamptz                     -- the last one
);

CREATE TABLE events (
    id         text PRIMARY KEY,
    payment_id uuid NOT NULL,
    sequence   integer NOT NULL CHECK (sequence > 0),
    type       text NOT NULL,
    body       bytea NOT NULL,               -- the exact bytes that are signed
    created_at timestamptz NOT NULL,
    UNIQUE (payment_id, sequence)
);

CREATE TABLE deliveries (
    event_id  text NOT NULL,
    target    text NOT NULL CHECK (target IN ('global', 'payment')), -- whose webhook URL
    state     text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts  integer NOT NULL DEFAULT 0,
    due_at    timestamptz NOT NULL,          -- of the next attempt, or the end of the lease
    claim_id  uuid,                          -- of the attempt under way; fences late answers
    outcome   text,                          -- of the last attempt
    ended_at  timestamptz,
    PRIMARY KEY (event_id, target),
    CONSTRAINT deliveries_ended CHECK ((ended_at IS NOT NULL) = (state <> 'waiting'))
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'waiting';

CREATE TABLE api_keys (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    prefix     text NOT NULL,                -- the first characters, to tell keys apart
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256; keys are 256-bit random
    scopes     text[] NOT NULL CHECK (scopes <@ '{read,write,admin}'::text[]),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
