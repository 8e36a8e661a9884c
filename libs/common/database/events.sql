-- Every service's schema begins with these: what it says to others, and what it has heard.
-- They are platform tables: written beside tenants' rows, read by the relay across tenants.

CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    day          date        NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    event_id     uuid        NOT NULL,
    topic        text        NOT NULL,
    type         text        NOT NULL,
    key          text        NOT NULL,
    tenant       uuid        NOT NULL,
    tenant_no    int4        NOT NULL,
    subject      text        NOT NULL,
    version      bigint      NOT NULL,
    payload      text        NOT NULL,
    traceparent  text        NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
) PARTITION BY RANGE (day);

CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;

-- Takes what no daily partition takes, so that a write never fails for want of one.
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;

CREATE TABLE inbox (
    subscription text        NOT NULL,
    event_id     uuid        NOT NULL,
    handled_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subscription, event_id)
);
CREATE INDEX inbox_handled ON inbox (handled_at);

-- Makes the outbox's partitions of the next days, drops those older than keep_days whose facts
-- are all published, and forgets inbox rows older than the topics keep their messages. Making and
-- dropping a partition locks the outbox against writers, so it gives up at once (55P03) where
-- somebody reads it, rather than have all of them queue behind.
CREATE FUNCTION rotate_events(keep_days int, keep_inbox_days int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '100ms' AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    name  text;
    ahead int;
    held  boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock('outbox'::regclass::oid::int8) THEN
        RETURN; -- another process is at it
    END IF;
    FOR ahead IN 0..3 LOOP
        name := 'outbox_' || to_char(today + ahead, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
                               name, today + ahead, today + ahead + 1);
            EXCEPTION WHEN check_violation THEN
                RAISE NOTICE 'outbox_rest already holds facts of %', today + ahead;
            END;
        END IF;
    END LOOP;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\d{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep_days
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE published_at IS NULL)', name)
            INTO held;
        IF NOT held THEN
            EXECUTE format('DROP TABLE %I', name);
        END IF;
    END LOOP;
    DELETE FROM outbox_rest
    WHERE published_at IS NOT NULL AND day < today - keep_days;
    DELETE FROM inbox WHERE handled_at < now() - make_interval(days => keep_inbox_days);
END $$;

-- The tenants there are, learnt from auth's facts; what walks over all tenants starts here.
CREATE TABLE known_tenants (
    tenant_no int4   PRIMARY KEY,
    tenant    uuid   NOT NULL,
    name      text   NOT NULL,
    status    text   NOT NULL,
    version   bigint NOT NULL
);
