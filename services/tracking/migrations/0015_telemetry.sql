-- Points that are committed together are told together: one fact a tenant and flush.
--
-- What is told of a write's points comes as *parts*, JSON of libs/common/contracts/tracking.py; which
-- of them stay out, as their writes are refused, is known here. `part_facts` names the fact that a
-- part goes into, from 1 on: they are assigned so that each fact fits a message. All else is told as
-- before.

ALTER TYPE logged_section
    ADD ATTRIBUTE part_writes   int4[],
    ADD ATTRIBUTE part_facts    int4[],
    ADD ATTRIBUTE parts         text[],
    ADD ATTRIBUTE told_topic    text,
    ADD ATTRIBUTE told_type     text,
    ADD ATTRIBUTE told_key      text,
    ADD ATTRIBUTE told_ids      uuid[],   -- one a fact, as the next two
    ADD ATTRIBUTE told_subjects text[],
    ADD ATTRIBUTE told_traces   text[];

-- Stores one section; the conflicts of its writes, NULL where there are none.
CREATE OR REPLACE FUNCTION log_section(s logged_section, p_section int4) RETURNS jsonb
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

    IF cardinality(s.fact_writes) > 0 THEN
        INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                            traceparent)
        SELECT u.event_id, u.topic, u.type, u.key, u.version, u.payload, s.tenant, s.tenant_no,
               u.subject, u.traceparent
        FROM unnest(s.fact_writes, s.fact_ids, s.fact_topics, s.fact_types, s.fact_keys,
                    s.fact_versions, s.fact_payloads, s.fact_subjects, s.fact_traces)
             WITH ORDINALITY AS u (write, event_id, topic, type, key, version, payload, subject,
                                   traceparent, position)
        WHERE runs[u.write] IS NOT NULL
        ORDER BY u.position;
    END IF;

    IF cardinality(s.parts) > 0 THEN
        INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                            traceparent)
        SELECT s.told_ids[f.fact], s.told_topic, s.told_type, s.told_key, 0,
               '{"version":0,"runs":[' || f.parts || ']}', s.tenant, s.tenant_no,
               s.told_subjects[f.fact], s.told_traces[f.fact]
        FROM (
            SELECT u.fact, string_agg(u.part, ',' ORDER BY u.position) AS parts
            FROM unnest(s.part_writes, s.part_facts, s.parts) WITH ORDINALITY
                 AS u (write, fact, part, position)
            WHERE runs[u.write] IS NOT NULL
            GROUP BY u.fact
        ) f
        ORDER BY f.fact;
    END IF;
    RETURN refused;
END $$;
