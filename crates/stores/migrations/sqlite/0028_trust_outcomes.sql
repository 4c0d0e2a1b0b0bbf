-- What trusts made of a JWT, for their reports, beside all else that decisions are found by: ' g:deploy L:next ', a letter and a name for each trust that was asked. g: it took the
-- JWT, r: it did not; as a shadow, G and L: it would have (L where the request was not granted), R and K: it would not have (K where the request was granted).
DROP INDEX decision_in_order;
ALTER TABLE decision ADD COLUMN trusts TEXT;
UPDATE decision SET trusts = (
    SELECT ' ' || group_concat(letter || ':' || trust, ' ') || ' ' FROM (
        -- The letter is of the row with the smallest number.
        SELECT trust, letter, min(number) AS number FROM (
            SELECT tried.key AS number, tried.value ->> '$.trust' AS trust, tried.value ->> '$.set_aside' AS aside,
                CASE WHEN json_array_length(tried.value, '$.rows') > 0 AND NOT EXISTS (SELECT 1 FROM json_each(tried.value, '$.rows') AS row WHERE row.value ->> '$.verdict' <> 'pass')
                    THEN iif(record ->> '$.outcome.outcome' = 'granted', 'G', 'L')
                    ELSE iif(record ->> '$.outcome.outcome' = 'granted', 'K', 'R') END AS letter
                FROM json_each(record, '$.shadows') AS tried
            UNION ALL SELECT 1000, record ->> '$.trust.trust', record ->> '$.trust.set_aside', 'g' WHERE record ->> '$.outcome.outcome' = 'granted'
            UNION ALL SELECT 2000 + tried.key, tried.value ->> '$.trust', tried.value ->> '$.set_aside', 'r' FROM json_each(record, '$.explanation.trusts') AS tried
                WHERE json_array_length(tried.value, '$.rows') = 0 OR EXISTS (SELECT 1 FROM json_each(tried.value, '$.rows') AS row WHERE row.value ->> '$.verdict' <> 'pass')
        ) WHERE trust IS NOT NULL AND aside IS NULL GROUP BY trust ORDER BY number
    )
) WHERE issuer IS NOT NULL AND json_valid(record);
CREATE INDEX decision_in_order ON decision (
    sequence, at, refused, rule, party, client, issuer, claimed_issuer, trust, subject, endpoint, trusts
);
