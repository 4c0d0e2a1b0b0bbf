-- Uses: each (issuer, name) is recorded once. 24 octets tell a use: the issuer's tag, and 128 bits of the rest. until: milliseconds since 1970; kept until then.
CREATE TABLE claim (
    issuer bigint NOT NULL,
    name   uuid NOT NULL,
    until  bigint NOT NULL,
    PRIMARY KEY (issuer, name)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- What has ended is removed by its end, and came in about that order.
CREATE INDEX claim_by_end ON claim USING brin (until) WITH (pages_per_range = 16, autosummarize = on);

-- Without claims everything that was used could be used again.
CREATE FUNCTION claims_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'claims are not truncated: what was used could be used again';
END $$;
CREATE TRIGGER claims_stay BEFORE TRUNCATE ON claim FOR EACH STATEMENT EXECUTE FUNCTION claims_stay();
ALTER TABLE claim ENABLE ALWAYS TRIGGER claims_stay;

-- Requests with several uses each: all of a request or none. The uses are in order, and each is there once. Answers what was not recorded before, also of
-- requests whose other uses were: those are removed again.
CREATE FUNCTION claim_all_or_none(issuers bigint[], names uuid[], untils bigint[], requests integer[])
RETURNS TABLE (fresh_issuer bigint, fresh_name uuid) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    came_issuers bigint[];
    came_names uuid[];
BEGIN
    WITH came AS (
        INSERT INTO claim (issuer, name, until) SELECT * FROM unnest(issuers, names, untils)
        ON CONFLICT (issuer, name) DO NOTHING RETURNING issuer, name
    )
    SELECT coalesce(array_agg(came.issuer), '{}'), coalesce(array_agg(came.name), '{}') INTO came_issuers, came_names FROM came;
    IF cardinality(came_names) < cardinality(names) THEN
        DELETE FROM claim USING
            unnest(issuers, names, requests) AS given (issuer, name, request),
            unnest(came_issuers, came_names) AS came (issuer, name)
        WHERE claim.issuer = given.issuer AND claim.name = given.name
            AND came.issuer = given.issuer AND came.name = given.name
            AND given.request IN (
                SELECT missing.request FROM unnest(issuers, names, requests) AS missing (issuer, name, request)
                WHERE NOT EXISTS (
                    SELECT FROM unnest(came_issuers, came_names) AS present (issuer, name)
                    WHERE present.issuer = missing.issuer AND present.name = missing.name));
    END IF;
    RETURN QUERY SELECT * FROM unnest(came_issuers, came_names);
END $$;

-- One request whose uses were recorded before, and ended before this time: they are recorded anew, all or none. One transaction: a node whose clock is ahead
-- and that dies leaves nothing removed. Answers a row if they are.
CREATE FUNCTION claim_anew(issuers bigint[], names uuid[], untils bigint[], ended_before bigint)
RETURNS SETOF boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    recorded bigint;
BEGIN
    DELETE FROM claim USING unnest(issuers, names) AS given (issuer, name)
    WHERE claim.issuer = given.issuer AND claim.name = given.name AND claim.until < ended_before;
    INSERT INTO claim (issuer, name, until) SELECT * FROM unnest(issuers, names, untils) ON CONFLICT (issuer, name) DO NOTHING;
    GET DIAGNOSTICS recorded = ROW_COUNT;
    IF recorded < cardinality(names) THEN
        RAISE EXCEPTION USING ERRCODE = 'GR001', MESSAGE = 'one of the uses is recorded';
    END IF;
    RETURN NEXT true;
EXCEPTION WHEN SQLSTATE 'GR001' THEN
    RETURN;
END $$;
