-- What our own transactions did to an address, each in its block. What may be in a block without our
-- knowing it yet counts for its beneficiary from the first block on: so no money of our own is ever
-- taken for a payer's, whatever was written down last.
CREATE INDEX sendings_beneficiary ON sendings (beneficiary) WHERE NOT final;
CREATE FUNCTION own_moves(on_chain text, at_address text)
RETURNS TABLE (asset text, amount numeric, block_number bigint, final boolean)
LANGUAGE sql STABLE AS $$
    SELECT m.asset, m.amount, s.block_number, s.final
    FROM sending_moves m JOIN sendings s ON s.id = m.sending_id
    WHERE m.address = at_address AND s.chain = on_chain
    UNION ALL
    SELECT 'native', -fee, s.block_number, s.final FROM sendings s
    WHERE s.chain = on_chain AND s.sender = at_address
    AND state IN ('mined', 'failed') AND state <> 'void'
    UNION ALL
    SELECT s.asset, s.amount, 0, false FROM sendings s
    WHERE s.chain = on_chain AND s.beneficiary = at_address
    AND state IN ('unsigned', 'signed', 'sent') AND NOT s.final
$$;
