-- The hot writes and reads, one round trip each: functions that set the tenant themselves and are
-- called in autocommit. They run with the caller's rights, so every policy holds inside them.
-- A request's own conflict is answered as JSON ({"why": …}) and changes nothing; NULL means done.
-- Writers of one run take locks in one order everywhere: run, params, latest metrics, tags, and
-- within each by key.

-- What *latest* compares: not-a-number counts as 0.
CREATE FUNCTION comparable(value float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN value = 'NaN'::float8 THEN 0 ELSE value END;

-- Inserts the facts of a write: parallel arrays, in the order of libs.common.events.outbox.
CREATE FUNCTION tell(
    event_ids uuid[], topics text[], types text[], keys text[], versions int8[], payloads text[],
    p_tenant uuid, p_tenant_no int4, p_subject text, p_traceparent text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                        traceparent)
    SELECT u.event_id, u.topic, u.type, u.key, u.version, u.payload, p_tenant, p_tenant_no,
           p_subject, p_traceparent
    FROM unnest(event_ids, topics, types, keys, versions, payloads)
         AS u (event_id, topic, type, key, version, payload);
END $$;

-- The numbers of metric keys, in their order; keys never seen before get one.
CREATE FUNCTION numbers_of_keys(p_tenant_no int4, p_keys text[]) RETURNS int4[]
LANGUAGE plpgsql AS $$
DECLARE
    numbers int4[];
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT array_agg(k.key_no ORDER BY u.position) INTO numbers
        FROM unnest(p_keys) WITH ORDINALITY AS u (key, position)
        LEFT JOIN metric_keys k ON k.tenant_no = p_tenant_no AND k.key = u.key;
        EXIT WHEN array_position(numbers, NULL) IS NULL;
        INSERT INTO metric_keys (tenant_no, key)
        SELECT DISTINCT p_tenant_no, u.key
        FROM unnest(p_keys, numbers) AS u (key, number) WHERE u.number IS NULL
        ORDER BY u.key
        ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN numbers;
END $$;

-- The numbers of metric contexts, in their order, NULL where a point has none.
CREATE FUNCTION numbers_of_contexts(
    p_tenant_no int4, p_models text[], p_names text[], p_digests text[]
) RETURNS int4[] LANGUAGE plpgsql AS $$
DECLARE
    numbers int4[];
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT array_agg(c.context_no ORDER BY u.position) INTO numbers
        FROM unnest(p_models, p_names, p_digests) WITH ORDINALITY AS u (model, name, digest, position)
        LEFT JOIN metric_contexts c ON c.tenant_no = p_tenant_no AND c.model_id = u.model
             AND c.dataset_name = u.name AND c.dataset_digest = u.digest;
        EXIT WHEN attempt = 2;
        INSERT INTO metric_contexts (tenant_no, model_id, dataset_name, dataset_digest)
        SELECT DISTINCT p_tenant_no, u.model, u.name, u.digest
        FROM unnest(p_models, p_names, p_digests, numbers) AS u (model, name, digest, number)
        WHERE u.number IS NULL AND (u.model <> '' OR u.name <> '')
        ORDER BY 2, 3, 4
        ON CONFLICT DO NOTHING;
        EXIT WHEN NOT FOUND;
    END LOOP;
    RETURN numbers;
END $$;

-- The first of `p_models` ('' or `m-` and 32 hex digits) that no logged model has, NULL if none.
CREATE FUNCTION unknown_model(p_tenant_no int4, p_workspace_id int4, p_models text[]) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT u.model FROM (SELECT DISTINCT x FROM unnest(p_models) AS x WHERE x <> '') AS u (model)
    WHERE NOT EXISTS (
        SELECT FROM logged_models m
        WHERE m.tenant_no = p_tenant_no AND m.model_id = substr(u.model, 3)::uuid
              AND m.workspace_id = p_workspace_id
    )
    ORDER BY u.model LIMIT 1
$$;

-- Metrics, params and tags of one run. The arrays of models, dataset names and digests are empty
-- where no point of the request has a context.
CREATE FUNCTION log_batch(
    p_workspace_id int4, p_run_id uuid,
    p_keys text[], p_values float8[], p_times int8[], p_steps int8[],
    p_models text[], p_names text[], p_digests text[],
    p_param_keys text[], p_param_values text[], p_tag_keys text[], p_tag_values text[],
    event_ids uuid[], topics text[], types text[], keys text[], versions int8[], payloads text[],
    p_tenant uuid, p_tenant_no int4, p_subject text, p_traceparent text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    run      int8;
    stage    text;
    absent   text;
    changed  jsonb;
    numbers  int4[];
    contexts int4[];
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    SELECT r.run_no, r.lifecycle_stage INTO run, stage FROM runs r
    WHERE r.tenant_no = p_tenant_no AND r.run_id = p_run_id AND r.workspace_id = p_workspace_id;
    IF run IS NULL THEN
        RETURN jsonb_build_object('why', 'no-run');
    ELSIF stage <> 'active' THEN
        RETURN jsonb_build_object('why', 'run-not-active', 'stage', stage);
    END IF;

    IF cardinality(p_models) > 0 THEN
        absent := unknown_model(p_tenant_no, p_workspace_id, p_models);
        IF absent IS NOT NULL THEN
            RETURN jsonb_build_object('why', 'no-model', 'model', absent);
        END IF;
    END IF;

    IF cardinality(p_param_keys) > 0 THEN
        -- Two writers of one param must not both find it absent.
        PERFORM FROM runs r WHERE r.tenant_no = p_tenant_no AND r.run_no = run FOR NO KEY UPDATE;
        SELECT jsonb_agg(jsonb_build_array(p.key, p.value, u.value) ORDER BY u.position)
        INTO changed
        FROM unnest(p_param_keys, p_param_values) WITH ORDINALITY AS u (key, value, position)
        JOIN params p ON p.tenant_no = p_tenant_no AND p.run_no = run AND p.key = u.key
        WHERE p.value <> u.value;
        IF changed IS NOT NULL THEN
            RETURN jsonb_build_object('why', 'params-changed', 'params', changed);
        END IF;
        INSERT INTO params (tenant_no, run_no, key, value)
        SELECT p_tenant_no, run, u.key, u.value
        FROM unnest(p_param_keys, p_param_values) AS u (key, value)
        ORDER BY u.key
        ON CONFLICT DO NOTHING;
    END IF;

    IF cardinality(p_keys) > 0 THEN
        numbers := numbers_of_keys(p_tenant_no, p_keys);
        IF cardinality(p_models) > 0 THEN
            contexts := numbers_of_contexts(p_tenant_no, p_models, p_names, p_digests);
        END IF;
        INSERT INTO metric_points (tenant_no, key_no, run_no, step, ts, value, context_no)
        SELECT p_tenant_no, u.key_no, run, u.step, u.ts, u.value, u.context_no
        FROM unnest(numbers, p_steps, p_times, p_values, contexts)
             AS u (key_no, step, ts, value, context_no);
        INSERT INTO latest_metrics AS l (tenant_no, key_no, run_no, step, ts, value)
        SELECT DISTINCT ON (u.key_no) p_tenant_no, u.key_no, run, u.step, u.ts, u.value
        FROM unnest(numbers, p_steps, p_times, p_values) WITH ORDINALITY
             AS u (key_no, step, ts, value, position)
        ORDER BY u.key_no, u.step DESC, u.ts DESC, comparable(u.value) DESC, u.position
        ON CONFLICT (tenant_no, run_no, key_no) DO UPDATE
        SET step = EXCLUDED.step, ts = EXCLUDED.ts, value = EXCLUDED.value
        WHERE (EXCLUDED.step, EXCLUDED.ts, comparable(EXCLUDED.value))
              > (l.step, l.ts, comparable(l.value));
    END IF;

    IF cardinality(p_tag_keys) > 0 THEN
        INSERT INTO run_tags AS t (tenant_no, run_no, key, value)
        SELECT DISTINCT ON (u.key) p_tenant_no, run, u.key, u.value
        FROM unnest(p_tag_keys, p_tag_values) WITH ORDINALITY AS u (key, value, position)
        ORDER BY u.key, u.position DESC
        ON CONFLICT (tenant_no, run_no, key) DO UPDATE SET value = EXCLUDED.value
        WHERE t.value <> EXCLUDED.value;
    END IF;

    PERFORM tell(event_ids, topics, types, keys, versions, payloads,
                 p_tenant, p_tenant_no, p_subject, p_traceparent);
    RETURN NULL;
END $$;

-- One metric point: what log_batch does for many, without its arrays, which cost more than a point.
CREATE FUNCTION log_metric(
    p_workspace_id int4, p_run_id uuid, p_key text, p_value float8, p_time int8, p_step int8,
    p_model text, p_name text, p_digest text,
    event_id uuid, topic text, type text, key text, version int8, payload text,
    p_tenant uuid, p_tenant_no int4, p_subject text, p_traceparent text
) RETURNS jsonb LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    run     int8;
    stage   text;
    absent  text;
    number  int4;
    context int4;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    SELECT r.run_no, r.lifecycle_stage INTO run, stage FROM runs r
    WHERE r.tenant_no = p_tenant_no AND r.run_id = p_run_id AND r.workspace_id = p_workspace_id;
    IF run IS NULL THEN
        RETURN jsonb_build_object('why', 'no-run');
    ELSIF stage <> 'active' THEN
        RETURN jsonb_build_object('why', 'run-not-active', 'stage', stage);
    END IF;
    IF p_model <> '' THEN
        absent := unknown_model(p_tenant_no, p_workspace_id, ARRAY[p_model]);
        IF absent IS NOT NULL THEN
            RETURN jsonb_build_object('why', 'no-model', 'model', absent);
        END IF;
    END IF;
    SELECT k.key_no INTO number FROM metric_keys k
    WHERE k.tenant_no = p_tenant_no AND k.key = p_key;
    IF number IS NULL THEN
        number := (numbers_of_keys(p_tenant_no, ARRAY[p_key]))[1];
    END IF;
    IF p_model <> '' OR p_name <> '' THEN
        context := (numbers_of_contexts(p_tenant_no, ARRAY[p_model], ARRAY[p_name],
                                        ARRAY[p_digest]))[1];
    END IF;
    INSERT INTO metric_points (tenant_no, key_no, run_no, step, ts, value, context_no)
    VALUES (p_tenant_no, number, run, p_step, p_time, p_value, context);
    INSERT INTO latest_metrics AS l (tenant_no, key_no, run_no, step, ts, value)
    VALUES (p_tenant_no, number, run, p_step, p_time, p_value)
    ON CONFLICT (tenant_no, run_no, key_no) DO UPDATE
    SET step = EXCLUDED.step, ts = EXCLUDED.ts, value = EXCLUDED.value
    WHERE (EXCLUDED.step, EXCLUDED.ts, comparable(EXCLUDED.value))
          > (l.step, l.ts, comparable(l.value));
    INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                        traceparent)
    VALUES (event_id, topic, type, key, version, payload, p_tenant, p_tenant_no, p_subject,
            p_traceparent);
    RETURN NULL;
END $$;

-- A new run with its tags.
CREATE FUNCTION create_run(
    p_workspace_id int4, p_experiment_id int4, p_run_id uuid, p_name text, p_user_id text,
    p_start_time int8, p_artifact_uri text, p_tag_keys text[], p_tag_values text[],
    event_ids uuid[], topics text[], types text[], keys text[], versions int8[], payloads text[],
    p_tenant uuid, p_tenant_no int4, p_subject text, p_traceparent text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    stage text;
    run   int8;
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    SELECT e.lifecycle_stage INTO stage FROM experiments e
    WHERE e.tenant_no = p_tenant_no AND e.experiment_id = p_experiment_id
          AND e.workspace_id = p_workspace_id;
    IF stage IS NULL THEN
        RETURN jsonb_build_object('why', 'no-experiment');
    ELSIF stage <> 'active' THEN
        RETURN jsonb_build_object('why', 'experiment-not-active', 'stage', stage);
    END IF;
    INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name,
                      user_id, artifact_uri, created_by)
    VALUES (p_tenant_no, p_experiment_id, p_run_id, p_workspace_id, p_start_time, 'RUNNING',
            p_name, p_user_id, p_artifact_uri, p_subject)
    RETURNING run_no INTO run;
    INSERT INTO run_tags (tenant_no, run_no, key, value)
    SELECT p_tenant_no, run, u.key, u.value FROM unnest(p_tag_keys, p_tag_values) AS u (key, value);
    PERFORM tell(event_ids, topics, types, keys, versions, payloads,
                 p_tenant, p_tenant_no, p_subject, p_traceparent);
    RETURN NULL;
END $$;

-- The datasets of a run as MLflow's JSON, NULL where it has none.
CREATE FUNCTION dataset_inputs(p_tenant_no int4, p_run_no int8) RETURNS json
LANGUAGE sql STABLE
RETURN (
    SELECT json_strip_nulls(json_agg(json_build_object(
        'tags', (
            SELECT json_agg(json_build_object('key', t.key, 'value', t.value) ORDER BY t.key)
            FROM input_tags t
            WHERE t.tenant_no = i.tenant_no AND t.run_no = i.run_no AND t.dataset_no = i.dataset_no
        ),
        'dataset', json_build_object(
            'name', d.name, 'digest', d.digest, 'source_type', d.source_type, 'source', d.source,
            'schema', nullif(d.schema, ''), 'profile', nullif(d.profile, '')
        )
    ) ORDER BY i.dataset_no))
    FROM inputs i JOIN datasets d ON d.tenant_no = i.tenant_no AND d.dataset_no = i.dataset_no
    WHERE i.tenant_no = p_tenant_no AND i.run_no = p_run_no
);

-- All that a run's page shows, in one row; no row where there is no such run.
CREATE FUNCTION run_details(p_tenant_no int4, p_workspace_id int4, p_run_id uuid)
RETURNS TABLE (
    run_id uuid, experiment_id int4, name text, user_id text, status text, start_time int8,
    end_time int8, artifact_uri text, lifecycle_stage text,
    metric_keys text[], metric_values float8[], metric_times int8[], metric_steps int8[],
    param_keys text[], param_values text[], tag_keys text[], tag_values text[],
    datasets json, model_inputs text[], model_outputs text[], model_steps int8[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.tenant', p_tenant_no::text, true);
    RETURN QUERY
    SELECT r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time,
           r.artifact_uri, r.lifecycle_stage, m.keys, m.vals, m.times, m.steps, p.keys, p.vals,
           t.keys, t.vals, dataset_inputs(r.tenant_no, r.run_no), i.models, o.models, o.steps
    FROM runs r
    CROSS JOIN LATERAL (
        SELECT array_agg(k.key) AS keys, array_agg(l.value) AS vals, array_agg(l.ts) AS times,
               array_agg(l.step) AS steps
        FROM latest_metrics l
        JOIN metric_keys k ON k.tenant_no = l.tenant_no AND k.key_no = l.key_no
        WHERE l.tenant_no = r.tenant_no AND l.run_no = r.run_no) m
    CROSS JOIN LATERAL (
        SELECT array_agg(q.key) AS keys, array_agg(q.value) AS vals FROM params q
        WHERE q.tenant_no = r.tenant_no AND q.run_no = r.run_no) p
    CROSS JOIN LATERAL (
        SELECT array_agg(g.key) AS keys, array_agg(g.value) AS vals FROM run_tags g
        WHERE g.tenant_no = r.tenant_no AND g.run_no = r.run_no) t
    CROSS JOIN LATERAL (
        SELECT array_agg(x.model_id) AS models FROM run_models x
        WHERE x.tenant_no = r.tenant_no AND x.run_no = r.run_no AND x.direction = 'input') i
    CROSS JOIN LATERAL (
        SELECT array_agg(y.model_id) AS models, array_agg(y.step) AS steps FROM run_models y
        WHERE y.tenant_no = r.tenant_no AND y.run_no = r.run_no AND y.direction = 'output') o
    WHERE r.tenant_no = p_tenant_no AND r.run_id = p_run_id AND r.workspace_id = p_workspace_id;
END $$;
