-- Batches: one transaction of the gas wallet that does what several sweeps are about (EIP-7702).
ALTER TABLE sendings DROP CONSTRAINT sendings_purpose;
ALTER TABLE sendings ADD CONSTRAINT sendings_purpose
    CHECK (purpose IN ('fuel', 'sweep', 'refund', 'batch'));

CREATE TABLE batch_parts (                   -- what a batch moves for each of its sweeps
    sending_id       uuid NOT NULL REFERENCES sendings (id),
    sweep_id         uuid NOT NULL REFERENCES sweeps (id),
    address          text NOT NULL,
    derivation_index bigint NOT NULL,
    amount           numeric(78, 0) NOT NULL CHECK (amount > 0),
    nonce            bigint,                 -- of the address's authorization; null: it gave one before
    kept             boolean NOT NULL DEFAULT false, -- the block that has the batch has it without this
    PRIMARY KEY (sending_id, sweep_id)
);
CREATE INDEX batch_parts_sweep ON batch_parts (sweep_id);
CREATE INDEX batch_parts_address ON batch_parts (address);
