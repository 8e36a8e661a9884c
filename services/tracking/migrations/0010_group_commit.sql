-- Group commit: what many requests log, and the runs they make, in one statement and transaction.
--
-- A *section* is what one tenant's requests write; a flush is an array of sections, ascending by
-- tenant. Each section sets its tenant, so every policy holds inside it. A request is a *write* and
-- is named by its place in its section, from 1 on; the longer arrays name the write of each entry.
-- A request's own conflict is answered as JSON ({"section", "write", "why", …}), and neither its
-- entries nor its facts are stored; the others are.
--
-- Locks are taken in the order of 0003_logging.sql within a section: runs, params, keys, latest
-- metrics, tags, each ascending. A flush waits for a lock for a moment only, so that one tenant's
-- long transaction does not hold up the others; it is then taken apart by its caller.

CREATE TYPE logged_section AS (
    tenant_no     int4,
    tenant        uuid,
    workspaces    int4[],   -- one a write, as run_ids
    run_ids       uuid[],
    point_writes  int4[],   -- one a point, as the next four
    point_keys    text[],
    point_values  float8[],
    point_times   int8[],
    point_steps   int8[],
    point_models  text[],   -- empty where no point of the section has a context
    point_names   text[],
    point_digests text[],
    param_writes  int4[],   -- at most one write of each run has params
    param_keys    text[],
    param_values  text[],
    tag_writes    int4[],
    tag_keys      text[],
    tag_values    text[],
    fact_writes   int4[],
    fact_ids      uuid[],
    fact_topics   text[],
    fact_types    text[],
    fact_keys     text[],
    fact_versions int8[],
    fact_payloads text[],
    fact_subjects text[],
    fact_traces   text[]
);

-- The writes of a section whose points name a logged model that is not there, and which.
CREATE FUNCTION writes_without_model(s logged_section) RETURNS TABLE (write int4, model text)
LANGUAGE sql STABLE AS $$
    SELECT DISTINCT ON (u.write) u.write, u.model
    FROM unnest(s.point_writes, s.point_models) AS u (write, model)
    WHERE u.model <> '' AND NOT EXISTS (
        SELECT FROM logged_models m
        WHERE m.tenant_no = s.tenant_no AND m.model_id = substr(u.model, 3)::uuid
              AND m.workspace_id = s.workspaces[u.write]
    )
    ORDER BY u.write, u.model
$$;

-- The writes of a section that give a param another value than it has, and which params.
CREATE FUNCTION writes_changing_params(s logged_section, p_runs int8[])
RETURNS TABLE (write int4, params jsonb) LANGUAGE sql STABLE AS $$
    SELECT u.write, jsonb_agg(jsonb_build_array(p.key, p.value, u.value) ORDER BY u.position)
    FROM unnest(s.param_writes, s.param_keys, s.param_values) WITH ORDINALITY
         AS u (write, key, value, position)
    JOIN params p ON p.tenant_no = s.tenant_no AND p.run_no = p_runs[u.write] AND p.key = u.key
    WHERE p.value <> u.value
    GROUP BY u.write
$$;

-- Stores one section; the conflicts of its writes, NULL where there are none.
CREATE FUNCTION log_section(s logged_section, p_section int4) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    runs     int8[];
    refused  jsonb;
    found    record;
    numbers  int4[];
    contexts int4[];
BEGIN
    PERFORM set_config('app.tenant', s.tenant_no::text, true);
    SELECT array_agg(CASE WHEN r.lifecycle_stage = 'active' THEN r.run_no END ORDER BY w.write),
           jsonb_agg(CASE WHEN r.run_no IS NULL
                     THEN jsonb_build_object('section', p_section, 'write', w.write, 'why', 'no-run')
                     ELSE jsonb_build_object('section', p_section, 'write', w.write,
                                             'why', 'run-not-active', 'stage', r.lifecycle_stage)
                     END) FILTER (WHERE r.lifecycle_stage IS DISTINCT FROM 'active')
    INTO runs, refused
    FROM unnest(s.workspaces, s.run_ids) WITH ORDINALITY AS w (workspace_id, run_id, write)
    LEFT JOIN runs r ON r.tenant_no = s.tenant_no AND r.run_id = w.run_id
         AND r.workspace_id = w.workspace_id;

    IF cardinality(s.point_models) > 0 THEN
        FOR found IN SELECT * FROM writes_without_model(s) LOOP
            CONTINUE WHEN runs[found.write] IS NULL;
            runs[found.write] := NULL;
            refused := coalesce(refused, '[]') || jsonb_build_object(
                'section', p_section, 'write', found.write, 'why', 'no-model', 'model', found.model);
        END LOOP;
    END IF;

    IF cardinality(s.param_writes) > 0 THEN
        -- Two writers of one param must not both find it absent.
        PERFORM FROM runs r WHERE r.tenant_no = s.tenant_no
            AND r.run_no IN (SELECT runs[u] FROM unnest(s.param_writes) AS u)
        ORDER BY r.run_no FOR NO KEY UPDATE;
        FOR found IN SELECT * FROM writes_changing_params(s, runs) LOOP
            runs[found.write] := NULL;
            refused := coalesce(refused, '[]') || jsonb_build_object(
                'section', p_section, 'write', found.write, 'why', 'params-changed',
                'params', found.params);
        END LOOP;
        INSERT INTO params (tenant_no, run_no, key, value)
        SELECT s.tenant_no, runs[u.write], u.key, u.value
        FROM unnest(s.param_writes, s.param_keys, s.param_values) AS u (write, key, value)
        WHERE runs[u.write] IS NOT NULL
        ORDER BY runs[u.write], u.key
        ON CONFLICT DO NOTHING;
    END IF;

    IF cardinality(s.point_keys) > 0 THEN
        numbers := numbers_of_keys(s.tenant_no, s.point_keys);
        IF cardinality(s.point_models) > 0 THEN
            contexts := numbers_of_contexts(
                s.tenant_no, s.point_models, s.point_names, s.point_digests);
        END IF;
        PERFORM store_points(
            s.tenant_no,
            ARRAY(SELECT runs[u.write] FROM unnest(s.point_writes) WITH ORDINALITY AS u (write, place)
                  ORDER BY u.place),
            numbers, s.point_steps, s.point_times, s.point_values, contexts);
    END IF;

    IF cardinality(s.tag_writes) > 0 THEN
        INSERT INTO run_tags AS t (tenant_no, run_no, key, value)
        SELECT DISTINCT ON (runs[u.write], u.key) s.tenant_no, runs[u.write], u.key, u.value
        FROM unnest(s.tag_writes, s.tag_keys, s.tag_values) WITH ORDINALITY
             AS u (write, key, value, position)
        WHERE runs[u.write] IS NOT NULL
        ORDER BY runs[u.write], u.key, u.position DESC
        ON CONFLICT (tenant_no, run_no, key) DO UPDATE SET value = EXCLUDED.value
        WHERE t.value <> EXCLUDED.value;
    END IF;

    INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                        traceparent)
    SELECT u.event_id, u.topic, u.type, u.key, u.version, u.payload, s.tenant, s.tenant_no,
           u.subject, u.traceparent
    FROM unnest(s.fact_writes, s.fact_ids, s.fact_topics, s.fact_types, s.fact_keys,
                s.fact_versions, s.fact_payloads, s.fact_subjects, s.fact_traces) WITH ORDINALITY
         AS u (write, event_id, topic, type, key, version, payload, subject, traceparent, position)
    WHERE runs[u.write] IS NOT NULL
    ORDER BY u.position;
    RETURN refused;
END $$;

-- Stores what requests log; the conflicts of single writes, NULL where there are none.
CREATE FUNCTION log_sections(sections logged_section[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    refused jsonb;
    more    jsonb;
BEGIN
    PERFORM set_config('lock_timeout', CASE cardinality(sections) WHEN 1 THEN '5s' ELSE '100ms' END,
                       true);
    FOR place IN 1..cardinality(sections) LOOP
        more := log_section(sections[place], place);
        IF more IS NOT NULL THEN
            refused := coalesce(refused, '[]') || more;
        END IF;
    END LOOP;
    RETURN refused;
END $$;

CREATE TYPE created_section AS (
    tenant_no      int4,
    tenant         uuid,
    fact_topic     text,
    fact_type      text,
    workspaces     int4[],   -- one a write, that is a run, as the next eight
    experiment_ids int4[],
    run_ids        uuid[],
    names          text[],
    user_ids       text[],
    start_times    int8[],
    artifact_uris  text[],
    subjects       text[],
    traces         text[],
    tag_writes     int4[],
    tag_keys       text[],
    tag_values     text[],
    fact_ids       uuid[],   -- one a write, as payloads
    fact_payloads  text[]
);

-- Makes the runs of one section; the conflicts of its writes, NULL where there are none.
CREATE FUNCTION create_section(s created_section, p_section int4) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    stages  text[];
    refused jsonb;
    made    int8[];
BEGIN
    PERFORM set_config('app.tenant', s.tenant_no::text, true);
    SELECT array_agg(e.lifecycle_stage ORDER BY w.write),
           jsonb_agg(CASE WHEN e.lifecycle_stage IS NULL
                     THEN jsonb_build_object('section', p_section, 'write', w.write,
                                             'why', 'no-experiment')
                     ELSE jsonb_build_object('section', p_section, 'write', w.write,
                                             'why', 'experiment-not-active',
                                             'stage', e.lifecycle_stage)
                     END) FILTER (WHERE e.lifecycle_stage IS DISTINCT FROM 'active')
    INTO stages, refused
    FROM unnest(s.workspaces, s.experiment_ids) WITH ORDINALITY
         AS w (workspace_id, experiment_id, write)
    LEFT JOIN experiments e ON e.tenant_no = s.tenant_no AND e.experiment_id = w.experiment_id
         AND e.workspace_id = w.workspace_id;

    WITH stored AS (
        INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name,
                          user_id, artifact_uri, created_by)
        SELECT s.tenant_no, u.experiment_id, u.run_id, u.workspace_id, u.start_time, 'RUNNING',
               u.name, u.user_id, u.artifact_uri, u.subject
        FROM unnest(s.experiment_ids, s.run_ids, s.workspaces, s.start_times, s.names, s.user_ids,
                    s.artifact_uris, s.subjects, stages) WITH ORDINALITY
             AS u (experiment_id, run_id, workspace_id, start_time, name, user_id, artifact_uri,
                   subject, stage, write)
        WHERE u.stage = 'active' ORDER BY u.write
        RETURNING run_id, run_no
    )
    SELECT array_agg(t.run_no ORDER BY u.write) INTO made
    FROM unnest(s.run_ids) WITH ORDINALITY AS u (run_id, write)
    LEFT JOIN stored t ON t.run_id = u.run_id;

    INSERT INTO run_tags (tenant_no, run_no, key, value)
    SELECT s.tenant_no, made[u.write], u.key, u.value
    FROM unnest(s.tag_writes, s.tag_keys, s.tag_values) AS u (write, key, value)
    WHERE made[u.write] IS NOT NULL;

    INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                        traceparent)
    SELECT u.event_id, s.fact_topic, s.fact_type, replace(u.run_id::text, '-', ''), 1, u.payload,
           s.tenant, s.tenant_no, u.subject, u.traceparent
    FROM unnest(s.fact_ids, s.run_ids, s.fact_payloads, s.subjects, s.traces) WITH ORDINALITY
         AS u (event_id, run_id, payload, subject, traceparent, write)
    WHERE made[u.write] IS NOT NULL ORDER BY u.write;
    RETURN refused;
END $$;

-- Makes the runs that requests ask for; the conflicts of single writes, NULL where there are none.
CREATE FUNCTION create_sections(sections created_section[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    refused jsonb;
    more    jsonb;
BEGIN
    PERFORM set_config('lock_timeout', CASE cardinality(sections) WHEN 1 THEN '5s' ELSE '100ms' END,
                       true);
    FOR place IN 1..cardinality(sections) LOOP
        more := create_section(sections[place], place);
        IF more IS NOT NULL THEN
            refused := coalesce(refused, '[]') || more;
        END IF;
    END LOOP;
    RETURN refused;
END $$;

-- New runs are counted once a statement, not once a run.
DROP TRIGGER count_run ON runs;
DROP FUNCTION count_run();

CREATE FUNCTION count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_usage AS u (tenant_no, day, part, runs)
    SELECT n.tenant_no, (now() AT TIME ZONE 'UTC')::date, pg_backend_pid() % 64, count(*)
    FROM made n GROUP BY n.tenant_no
    ON CONFLICT (tenant_no, day, part) DO UPDATE SET runs = u.runs + EXCLUDED.runs;
    RETURN NULL;
END $$;

CREATE TRIGGER count_runs AFTER INSERT ON runs REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION count_runs();

DROP FUNCTION log_metric;
