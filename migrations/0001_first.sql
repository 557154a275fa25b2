-- Payments, the transfers that fund them, how far each chain was read, and the news to deliver.
--
-- The CHECKs repeat rules of ctrip/core, as a second lock: tests compare the lists with the enums.
-- Addresses of ours keep their EIP-55 spelling; all other hex is lower-case with 0x.
-- Rows are never deleted here, and a reference is written in the statement or transaction that
-- writes or holds what it points to. So there are no foreign keys in the path of a create, nor from
-- a transfer to its payment, which is held: a check costs a query and a row lock for each row, and
-- tokens and wallets would be one row for everybody.

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
    owner                  uuid NOT NULL,    -- the API key that made it; zero: nobody's
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
    quote                  jsonb,            -- the price and its rate, where the amount was made of one
    redirect_url           text,
    webhook_url            text,
    idempotency_key        text,
    fingerprint            text,             -- of the request that said the key: SHA-256 in hex
    order_is_unique        boolean NOT NULL DEFAULT false, -- no other of the owner's has its order_id
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
    CONSTRAINT payments_idempotency CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL)),
    CONSTRAINT payments_detected CHECK ((detected_in_block IS NOT NULL) =
        (status IN ('detected', 'confirmed', 'paid', 'settled')))
);
CREATE UNIQUE INDEX payments_address ON payments (lower(address));
CREATE UNIQUE INDEX payments_idempotency_key ON payments (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX payments_ordered ON payments (owner, order_id) WHERE order_is_unique;
-- Lists, newest first; store/listing.py merges one for each chain and status.
CREATE INDEX payments_owned ON payments (owner, chain, status, created_at, id);
CREATE INDEX payments_listed ON payments (chain, status, created_at, id);
CREATE INDEX payments_of_order ON payments (order_id, owner, created_at, id)
    WHERE order_id IS NOT NULL;
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
    payment_id   uuid NOT NULL,
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
    logged    bigint NOT NULL CHECK (logged <= number), -- the last block of which all logs were read
    named     bigint NOT NULL,               -- the last one seen to name an address of ours, and not why
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
    payment_id uuid,                         -- null: news of ctrip itself
    sequence   integer NOT NULL,
    type       text NOT NULL,
    body       bytea NOT NULL,               -- the exact bytes that are signed
    created_at timestamptz NOT NULL,
    position   bigint,                       -- in the stream; given after the commit, in its order
    CONSTRAINT events_sequence CHECK (sequence > 0 OR (payment_id IS NULL AND sequence = 0)),
    UNIQUE (payment_id, sequence)
);
CREATE UNIQUE INDEX events_position ON events (position) WHERE position IS NOT NULL;
CREATE INDEX events_created ON events USING brin (created_at);
CREATE INDEX events_unplaced ON events (created_at, sequence, id) WHERE position IS NULL;

CREATE TABLE endpoints (                     -- receivers
    id              text PRIMARY KEY,
    kind            text NOT NULL CONSTRAINT endpoints_kind CHECK (kind IN ('api', 'config', 'site')),
    url             text NOT NULL,           -- of a site, its origin: payments name the URLs
    description     text NOT NULL,
    event_types     text[] NOT NULL,         -- '*', 'payment.*' or whole types
    format          text NOT NULL CONSTRAINT endpoints_format CHECK (format IN ('standard', 'thin')),
    headers         bytea,                   -- sealed: they may hold a password
    concurrency_max integer NOT NULL CHECK (concurrency_max > 0),
    rate_max        double precision CHECK (rate_max > 0), -- deliveries a second; null: any
    enabled         boolean NOT NULL,
    disabled_reason text,
    revision        integer NOT NULL,        -- rises whenever the sender must read it again
    failures        integer NOT NULL DEFAULT 0, -- since the last success
    failing_since   timestamptz,
    paused_until    timestamptz,             -- the breaker is open
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    named_at        timestamptz,             -- of a site: when a payment did so last, to the hour
    CONSTRAINT endpoints_named CHECK ((kind = 'site') = (named_at IS NOT NULL)),
    CONSTRAINT endpoints_disabled CHECK (enabled = (disabled_reason IS NULL)),
    CONSTRAINT endpoints_failing CHECK ((failures = 0) = (failing_since IS NULL))
);

CREATE TABLE endpoint_secrets (
    id          uuid PRIMARY KEY,
    endpoint_id text NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    sealed      bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz                  -- set when another takes its place
);
CREATE INDEX endpoint_secrets_endpoint ON endpoint_secrets (endpoint_id);

-- The queue: as large as what waits. What has ended leaves it for deliveries_done.
CREATE TABLE deliveries (
    event_id    text NOT NULL,
    endpoint_id text NOT NULL,
    due_at      timestamptz NOT NULL,        -- of the next attempt, or the end of the lease
    attempts    integer NOT NULL DEFAULT 0,
    faults      integer NOT NULL DEFAULT 0,  -- of our own, which cost the receiver nothing
    manual      boolean NOT NULL DEFAULT false, -- somebody asked for it again
    claim_id    uuid,                        -- of the attempt under way; fences late answers
    PRIMARY KEY (event_id, endpoint_id)
) WITH (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, due_at);
CREATE INDEX deliveries_leased ON deliveries (endpoint_id, due_at) WHERE claim_id IS NOT NULL;

CREATE TABLE deliveries_done (
    event_id    text NOT NULL,
    endpoint_id text NOT NULL,
    delivered   boolean NOT NULL,
    attempts    integer NOT NULL,
    outcome     text NOT NULL,               -- of the last attempt, or why there is none
    ended_at    timestamptz NOT NULL
) PARTITION BY RANGE (ended_at);
CREATE INDEX deliveries_done_event ON deliveries_done (event_id, endpoint_id);
CREATE INDEX deliveries_done_endpoint ON deliveries_done (endpoint_id, ended_at);

CREATE TABLE attempts (
    event_id     text NOT NULL,
    endpoint_id  text NOT NULL,
    attempt      integer NOT NULL,
    manual       boolean NOT NULL,
    at           timestamptz NOT NULL,       -- its end
    milliseconds integer NOT NULL,
    outcome      text NOT NULL,              -- a status, or a kind of failure
    address      text,                       -- that was dialled
    answer       bytea                       -- its first bytes
) PARTITION BY RANGE (at);
CREATE INDEX attempts_event ON attempts (event_id, endpoint_id);

-- What no month holds, because a clock is wrong or nobody made the month.
CREATE TABLE deliveries_done_rest PARTITION OF deliveries_done DEFAULT;
CREATE TABLE attempts_rest PARTITION OF attempts DEFAULT;

CREATE TABLE replays (                       -- what is to be sent again, bit by bit
    id          uuid PRIMARY KEY,
    endpoint_id text NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    event_types text[] NOT NULL,
    delivered   boolean NOT NULL,            -- also what was delivered
    after       bigint NOT NULL,             -- how far it has come in the stream
    last        bigint NOT NULL,             -- where it ends
    queued      bigint NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX replays_open ON replays (created_at) WHERE ended_at IS NULL;

-- Makes a table's months from `day` on, and removes those that ended before `kept_from`.
CREATE FUNCTION keep_months(parent text, day date, months integer, kept_from date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', day);
    name  text;
BEGIN
    FOR n IN 0 .. months - 1 LOOP
        name := parent || to_char(first + make_interval(months => n), '_YYYYMM');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name,
                    parent, first + make_interval(months => n), first + make_interval(months => n + 1));
            EXCEPTION WHEN check_violation THEN -- its rows are in the rest already, and safe there
            END;
        END IF;
    END LOOP;
    FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = parent::regclass
    LOOP
        IF name ~ '_\d{6}$' AND to_date(right(name, 6), 'YYYYMM') + interval '1 month' <= kept_from THEN
            EXECUTE format('DROP TABLE %I', name);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE api_keys (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    prefix        text NOT NULL,             -- the first characters, to tell keys apart
    digest        bytea NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256; keys are 256-bit random
    scopes        text[] NOT NULL CHECK (scopes <@ '{read,write,admin}'::text[]),
    allowed_cidrs text[] NOT NULL DEFAULT '{}', -- networks it may be used from; none: any
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz CHECK (expires_at > created_at),
    revoked_at    timestamptz,
    revision      bigint NOT NULL            -- given by the trigger below
);
CREATE INDEX api_keys_created ON api_keys (created_at, id);
CREATE UNIQUE INDEX api_keys_revision ON api_keys (revision);

CREATE TABLE key_uses (
    key_id  uuid PRIMARY KEY,
    used_at timestamptz NOT NULL             -- written now and then, never by a request
);

-- Each change of a key, by hand too, takes the next revision. Its row stays locked until the
-- change is committed, so whoever sees a revision sees all that are lower.
CREATE TABLE key_revisions (
    one    boolean PRIMARY KEY CHECK (one),
    newest bigint NOT NULL
);

CREATE FUNCTION revise_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a key is never deleted, because payments name it: set revoked_at';
    END IF;
    INSERT INTO key_revisions AS r VALUES (true, 1)
    ON CONFLICT (one) DO UPDATE SET newest = r.newest + 1
    RETURNING newest INTO NEW.revision;
    RETURN NEW;
END
$$;
CREATE TRIGGER api_keys_revised BEFORE INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION revise_key();

-- Answers to requests with an Idempotency-Key, for a day; payments keep their own.
CREATE TABLE idempotency_keys (
    owner         uuid NOT NULL,
    key           text NOT NULL,
    fingerprint   text NOT NULL,             -- of the request: SHA-256 in hex
    claim_id      uuid,                      -- of the request under way
    claimed_until timestamptz NOT NULL,      -- then whoever had it is gone
    status        smallint,                  -- of the answer
    answer        bytea,                     -- sealed where there is a secret in it
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (owner, key),
    CONSTRAINT idempotency_keys_answered CHECK ((claim_id IS NULL) = (status IS NOT NULL)
        AND (status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
