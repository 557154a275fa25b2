-- Refunds: money of payments on its way from the payout wallet to an address.
CREATE TABLE refunds (
    id         uuid PRIMARY KEY,
    chain      text NOT NULL,
    payment_id uuid NOT NULL REFERENCES payments (id),
    asset      text NOT NULL,
    amount     numeric(78, 0) NOT NULL CONSTRAINT refunds_amount CHECK (amount > 0),
    recipient  text NOT NULL,
    asked_by   uuid NOT NULL,               -- the API key
    state      text NOT NULL CONSTRAINT refunds_state CHECK (state IN
        ('queued', 'sent', 'mined', 'final', 'stuck', 'failed')),
    why        text NOT NULL,               -- what it waits for, or what went wrong
    tries      integer NOT NULL,            -- that would have failed
    due_at     timestamptz NOT NULL,        -- when it is looked at next
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CONSTRAINT refunds_ended CHECK ((ended_at IS NOT NULL) = (state IN ('final', 'failed')))
);
CREATE INDEX refunds_payment ON refunds (payment_id);
CREATE INDEX refunds_due ON refunds (chain, due_at) WHERE ended_at IS NULL;
CREATE INDEX refunds_of_day ON refunds (chain, asset, created_at) WHERE state <> 'failed';

ALTER TABLE sendings ADD COLUMN refund_id uuid REFERENCES refunds (id);
CREATE INDEX sendings_refund ON sendings (refund_id) WHERE refund_id IS NOT NULL;
CREATE TABLE sending_offers (                -- at what it was exported before: somebody may have signed it
    sending_id   uuid NOT NULL REFERENCES sendings (id),
    value        numeric(78, 0) NOT NULL,    -- wei
    max_fee      numeric(78, 0) NOT NULL,
    priority_fee numeric(78, 0),             -- null: legacy
    replaced_at  timestamptz NOT NULL
);
CREATE INDEX sending_offers_sending ON sending_offers (sending_id);
-- The same seen from the payment: facts like its transfers, written by the same door.
ALTER TABLE payments ADD COLUMN refunds jsonb NOT NULL DEFAULT '[]';
