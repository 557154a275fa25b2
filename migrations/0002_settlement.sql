-- Settlement: what becomes of confirmed money, the transactions we make, and what they moved.
ALTER TABLE payments ADD COLUMN settles text NOT NULL DEFAULT 'hold'
    CONSTRAINT payments_settles CHECK (settles IN ('hold', 'sweep', 'export'));
ALTER TABLE transfers ADD COLUMN swept_in bigint; -- the block in which its money was moved on
ALTER TABLE transfers ADD COLUMN swept_by text;   -- the transaction in that block that did it
ALTER TABLE transfers ADD COLUMN sweep_id uuid;   -- of the sweep that is to move it, or did
-- Whether it is ours to move: not what is held on its payment's own chain. Most gateways hold all
-- they get, and their transfers shall not fill an index of what is to be moved for ever.
ALTER TABLE transfers ADD COLUMN movable boolean NOT NULL;
-- What nobody has planned to move yet.
CREATE INDEX transfers_unplanned ON transfers (chain, block_number)
    WHERE movable AND sweep_id IS NULL AND NOT orphaned;
CREATE INDEX transfers_sweep ON transfers (sweep_id) WHERE sweep_id IS NOT NULL;

CREATE TABLE sweeps (                        -- one asset of one address, to the treasury
    id               uuid PRIMARY KEY,
    chain            text NOT NULL,
    payment_id       uuid NOT NULL REFERENCES payments (id),
    address          text NOT NULL,
    derivation_index bigint NOT NULL,
    asset            text NOT NULL,
    state            text NOT NULL CONSTRAINT sweeps_state CHECK (state IN
        ('queued', 'fuelled', 'sent', 'mined', 'final', 'stuck', 'dropped')),
    amount           numeric(78, 0),         -- that was sent; null: nothing yet
    why              text NOT NULL,          -- what it waits for, or what went wrong
    tries            integer NOT NULL,       -- in a row that did not move the money
    due_at           timestamptz NOT NULL,   -- when it is looked at next
    in_company       boolean NOT NULL DEFAULT false, -- it waits for others of its token, until then
    created_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    CONSTRAINT sweeps_ended CHECK ((ended_at IS NOT NULL) = (state IN ('final', 'dropped')))
);
CREATE UNIQUE INDEX sweeps_live ON sweeps (chain, address, asset) WHERE ended_at IS NULL;
CREATE INDEX sweeps_due ON sweeps (chain, due_at) WHERE ended_at IS NULL;
CREATE INDEX sweeps_payment ON sweeps (payment_id);

CREATE TABLE sendings (                      -- a place in a sender's line of nonces, and what fills it
    id           uuid PRIMARY KEY,
    chain        text NOT NULL,
    sender       text NOT NULL,
    derivation_index bigint,                 -- of the sender; null: the gas or the payout wallet
    nonce        bigint NOT NULL,
    purpose      text NOT NULL CONSTRAINT sendings_purpose CHECK (purpose IN ('fuel', 'sweep', 'refund')),
    sweep_id     uuid REFERENCES sweeps (id),
    asset        text NOT NULL,              -- that it moves
    amount       numeric(78, 0) NOT NULL,    -- of it; of native coin, that of the version mined last
    beneficiary  text NOT NULL,              -- who gets it
    recipient    text NOT NULL,              -- the transaction's `to`: the token, or the beneficiary
    data         text NOT NULL,
    gas          bigint NOT NULL,
    state        text NOT NULL CONSTRAINT sendings_state CHECK (state IN
        ('unsigned', 'signed', 'sent', 'mined', 'failed', 'taken', 'void')),
    tx_hash      text,                       -- of the version that was mined
    block_number bigint,
    block_hash   text,
    fee          numeric(78, 0),             -- paid for it, in wei, all parts
    final        boolean NOT NULL DEFAULT false, -- its block will not be replaced
    exported_value        numeric(78, 0),    -- of an unsigned one: what is to be signed, in wei
    exported_max_fee      numeric(78, 0),
    exported_priority_fee numeric(78, 0),    -- null: legacy
    doubted_at   timestamptz,                -- since then its nonce seems to be another's
    created_at   timestamptz NOT NULL,
    sent_at      timestamptz,                -- when its newest version was broadcast first
    CONSTRAINT sendings_exported CHECK (state <> 'unsigned' OR exported_max_fee IS NOT NULL),
    CONSTRAINT sendings_mined CHECK ((block_number IS NOT NULL) = (state IN ('mined', 'failed'))
        AND (block_number IS NULL) = (tx_hash IS NULL)
        AND (block_number IS NULL) = (block_hash IS NULL) AND (block_number IS NULL) = (fee IS NULL))
);
-- One transaction for each nonce, whatever happens.
CREATE UNIQUE INDEX sendings_line ON sendings (chain, sender, nonce) WHERE state <> 'void';
CREATE INDEX sendings_open ON sendings (chain) WHERE NOT final;
CREATE INDEX sendings_sweep ON sendings (sweep_id);

CREATE TABLE sending_versions (              -- the same transaction at different prices; one is mined
    tx_hash      text PRIMARY KEY,
    sending_id   uuid NOT NULL REFERENCES sendings (id),
    raw          text NOT NULL,              -- written before it is broadcast
    value        numeric(78, 0) NOT NULL,    -- wei; a dearer sweep of native coin carries less
    max_fee      numeric(78, 0) NOT NULL,
    priority_fee numeric(78, 0),             -- null: legacy
    created_at   timestamptz NOT NULL
);
CREATE INDEX sending_versions_sending ON sending_versions (sending_id);

CREATE TABLE sending_moves (                 -- what one that was mined did to addresses; fees are apart
    sending_id uuid NOT NULL REFERENCES sendings (id),
    address    text NOT NULL,
    asset      text NOT NULL,
    amount     numeric(78, 0) NOT NULL,      -- in base units; below 0: it went away
    PRIMARY KEY (sending_id, address, asset)
);
CREATE INDEX sending_moves_address ON sending_moves (address);
