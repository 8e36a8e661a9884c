-- Points of runs that ended long ago lie in the object store, in one Parquet file a run, and come back
-- metric by metric when they are read.
--
-- A metric of an archived run is *frozen*: its points lie in the file alone; or *thawed*: they are in
-- metric_segments as well, where every reader looks. What is logged later lies beside them, either way.
-- Points with a context (a logged model, a dataset) are in the file too, and stay in the tables: searches
-- look at them. Who reads asks for frozen metrics in the snapshot in which it reads.

-- After how many days the points of ended runs are archived: 0 never, NULL by the platform's setting.
ALTER TABLE experiment_retention ADD COLUMN archive_days int4 CHECK (archive_days >= 0);

-- The file of a run, which may be gone while forks show its points; `points` are those without context.
CREATE TABLE archived_points (
    tenant_no     int4 NOT NULL,
    run_no        int8 NOT NULL,
    object_key    text COLLATE "C" NOT NULL,
    size          int8 NOT NULL,
    sha256        bytea NOT NULL CHECK (octet_length(sha256) = 32),
    footer_at     int8 NOT NULL, -- from there to the end
    footer_sha256 bytea NOT NULL CHECK (octet_length(footer_sha256) = 32),
    points        int8 NOT NULL,
    archived_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_no, run_no)
);

-- Where in the file a metric's row groups lie, which it may share with others.
CREATE TABLE archived_metrics (
    tenant_no  int4 NOT NULL,
    run_no     int8 NOT NULL,
    key_no     int4 NOT NULL,
    first_byte int8 NOT NULL,
    end_byte   int8 NOT NULL,
    sha256     bytea NOT NULL CHECK (octet_length(sha256) = 32), -- of these bytes
    points     int8 NOT NULL,
    thawed_at  timestamptz,
    PRIMARY KEY (tenant_no, run_no, key_no),
    FOREIGN KEY (tenant_no, run_no) REFERENCES archived_points ON DELETE CASCADE
);
CREATE INDEX archived_metrics_thawed ON archived_metrics (tenant_no, thawed_at)
    WHERE thawed_at IS NOT NULL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['archived_points', 'archived_metrics'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I'
            ' USING (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)'
            ' WITH CHECK (tenant_no = nullif(current_setting(''app.tenant'', true), '''')::int4)',
            name
        );
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON archived_points, archived_metrics TO tracking_app;

-- A file counts among the bytes that its tenant has in the store.
CREATE FUNCTION count_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO artifact_usage AS a (tenant_no, part, bytes)
    VALUES (coalesce(NEW.tenant_no, OLD.tenant_no), pg_backend_pid() % 64,
            coalesce(NEW.size, 0) - coalesce(OLD.size, 0))
    ON CONFLICT (tenant_no, part) DO UPDATE SET bytes = a.bytes + excluded.bytes;
    RETURN NULL;
END $$;

CREATE TRIGGER count_archived AFTER INSERT OR DELETE ON archived_points
    FOR EACH ROW EXECUTE FUNCTION count_archived();

-- Whether a run has ended so long ago, and has logged nothing since, that its points are archived. Times
-- are the client's word: an end in the past does not count before the run's own beginning, nor a point
-- that claims to come from the future.
CREATE FUNCTION is_long_over(r runs, p_own int4, p_default int4) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        r.lifecycle_stage = 'active' AND r.status IN ('FINISHED', 'FAILED', 'KILLED')
        AND greatest(r.end_time, made_at(r.run_id), r.restored_time)
            <= due_before(NULL, p_own, p_default)
        AND NOT EXISTS (
            SELECT FROM latest_metrics l
            WHERE l.tenant_no = r.tenant_no AND l.run_no = r.run_no
              AND l.ts > due_before(NULL, p_own, p_default)
              AND l.ts <= (extract(epoch FROM now()) * 1000)::int8),
        false)
$$;

-- How many points of a run, equal ones as often as they are stored, no file of it has.
CREATE FUNCTION points_to_archive(p_tenant_no int4, p_run_no int8) RETURNS int8
LANGUAGE sql STABLE AS $$
    SELECT ((SELECT coalesce(sum(s.points), 0) FROM metric_segments s
             WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.context_no IS NULL)
            + (SELECT count(*) FROM metric_points p
               WHERE p.tenant_no = p_tenant_no AND p.run_no = p_run_no AND p.context_no IS NULL)
            - (SELECT coalesce(sum(m.points), 0) FROM archived_metrics m
               WHERE m.tenant_no = p_tenant_no AND m.run_no = p_run_no
                 AND m.thawed_at IS NOT NULL))::int8
$$;

-- The metrics of a run whose points lie in its file alone, and where in it.
CREATE FUNCTION frozen_of(p_tenant_no int4, p_run_no int8) RETURNS TABLE (
    run_no int8, key_no int4, key text, first_byte int8, end_byte int8, sha256 bytea, points int8,
    object_key text, size int8, footer_at int8, footer_sha256 bytea
) LANGUAGE sql STABLE AS $$
    SELECT m.run_no, m.key_no, k.key, m.first_byte, m.end_byte, m.sha256, m.points, a.object_key,
           a.size, a.footer_at, a.footer_sha256
    FROM archived_metrics m
    JOIN archived_points a ON a.tenant_no = m.tenant_no AND a.run_no = m.run_no
    JOIN metric_keys k ON k.tenant_no = m.tenant_no AND k.key_no = m.key_no
    WHERE m.tenant_no = p_tenant_no AND m.run_no = p_run_no AND m.thawed_at IS NULL
$$;

-- What is frozen of a metric that runs show, or of all their metrics where the key is NULL: of their
-- own, and of the runs that they continue. Every read of points asks; most tenants have no file at all.
CREATE FUNCTION frozen_among(
    p_tenant_no int4, p_workspace_id int4, p_run_ids uuid[], p_key text
) RETURNS TABLE (
    run_no int8, key_no int4, key text, first_byte int8, end_byte int8, sha256 bytea, points int8,
    object_key text, size int8, footer_at int8, footer_sha256 bytea
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    IF EXISTS (SELECT FROM archived_points a WHERE a.tenant_no = p_tenant_no) THEN
        RETURN QUERY
        SELECT DISTINCT f.* FROM runs r
        CROSS JOIN LATERAL lines_of(r.tenant_no, r.run_no, 9223372036854775807) l
        CROSS JOIN LATERAL frozen_of(r.tenant_no, l.run_no) f
        WHERE r.tenant_no = p_tenant_no AND r.workspace_id = p_workspace_id
          AND r.run_id = ANY (p_run_ids) AND (p_key IS NULL OR f.key = p_key);
    END IF;
END $$;

-- Samples of a metric of runs of a workspace, in the order of their ids; one row without a run where
-- points of these are frozen, which then have to come back first.
-- It sets the tenant itself: one statement in a transaction of its own is one round trip. STABLE, so
-- that all of it is one snapshot: nothing is frozen between the question and the points.
CREATE FUNCTION charts_of(
    p_tenant_no int4, p_workspace_id int4, p_runs uuid[], p_key text, p_from int8, p_to int8,
    p_most int8
) RETURNS TABLE (run_id uuid, times int8[], steps int8[], vals float8[])
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    wanted uuid;
    number int4;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    IF EXISTS (SELECT FROM frozen_among(p_tenant_no, p_workspace_id, p_runs, p_key)) THEN
        RETURN QUERY SELECT NULL::uuid, NULL::int8[], NULL::int8[], NULL::float8[];
        RETURN;
    END IF;
    SELECT k.key_no INTO number FROM metric_keys k
    WHERE k.tenant_no = p_tenant_no AND k.key = p_key;
    -- One by one: a plan for any number of runs would be made anew each time.
    FOREACH wanted IN ARRAY p_runs LOOP
        RETURN QUERY
        SELECT r.run_id, s.times, s.steps, s.vals
        FROM runs r
        CROSS JOIN LATERAL sampled(r.tenant_no, r.run_no, number, p_from, p_to, p_most) s
        WHERE r.tenant_no = p_tenant_no AND r.workspace_id = p_workspace_id AND r.run_id = wanted
          AND s.vals IS NOT NULL;
    END LOOP;
END $$;

-- Removes the points of a thawed metric, which the file has, and has it be frozen again; whether that
-- was done. What came beside them keeps all where they are: it is put into a file with them one day.
CREATE FUNCTION freeze_again(p_tenant_no int4, p_run_no int8, p_key_no int4) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    metric  archived_metrics;
    numbers int8[];
    there   int8;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('points leave for files/' || p_tenant_no, 0));
    SELECT * INTO metric FROM archived_metrics m
    WHERE m.tenant_no = p_tenant_no AND m.run_no = p_run_no AND m.key_no = p_key_no
      AND m.thawed_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    numbers := ARRAY(
        SELECT s.segment_no FROM metric_segments s
        WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.key_no = p_key_no
          AND s.context_no IS NULL);
    SELECT count(*) INTO there FROM (
        SELECT DISTINCT step_at(s, place), ts_at(s, place), value_at(s, place)
        FROM metric_segments s CROSS JOIN LATERAL generate_series(1, s.points) AS place
        WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.key_no = p_key_no
          AND s.segment_no = ANY (numbers)) d;
    IF there <> metric.points OR EXISTS (
        SELECT FROM metric_points p
        WHERE p.tenant_no = p_tenant_no AND p.run_no = p_run_no AND p.key_no = p_key_no
          AND p.context_no IS NULL
    ) THEN
        UPDATE archived_metrics m SET thawed_at = now()
        WHERE m.tenant_no = p_tenant_no AND m.run_no = p_run_no AND m.key_no = p_key_no;
        RETURN false;
    END IF;
    -- By their numbers: what is stored this moment by somebody else is not among them.
    DELETE FROM metric_segments s
    WHERE s.tenant_no = p_tenant_no AND s.run_no = p_run_no AND s.key_no = p_key_no
      AND s.segment_no = ANY (numbers);
    UPDATE archived_metrics m SET thawed_at = NULL
    WHERE m.tenant_no = p_tenant_no AND m.run_no = p_run_no AND m.key_no = p_key_no;
    RETURN true;
END $$;
