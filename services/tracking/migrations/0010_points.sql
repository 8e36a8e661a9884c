-- Points of a tenant and the latest values they make. A point without a run is passed over, and the
-- contexts may be NULL where there are none.
CREATE FUNCTION store_points(
    p_tenant_no int4, p_runs int8[], p_key_nos int4[], p_steps int8[], p_times int8[],
    p_values float8[], p_contexts int4[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO metric_points (tenant_no, key_no, run_no, step, ts, value, context_no)
    SELECT p_tenant_no, u.key_no, u.run_no, u.step, u.ts, u.value, u.context_no
    FROM unnest(p_runs, p_key_nos, p_steps, p_times, p_values, p_contexts)
         AS u (run_no, key_no, step, ts, value, context_no)
    WHERE u.run_no IS NOT NULL;
    INSERT INTO latest_metrics AS l (tenant_no, key_no, run_no, step, ts, value)
    SELECT DISTINCT ON (u.run_no, u.key_no) p_tenant_no, u.key_no, u.run_no, u.step, u.ts, u.value
    FROM unnest(p_runs, p_key_nos, p_steps, p_times, p_values) WITH ORDINALITY
         AS u (run_no, key_no, step, ts, value, position)
    WHERE u.run_no IS NOT NULL
    ORDER BY u.run_no, u.key_no, u.step DESC, u.ts DESC, comparable(u.value) DESC, u.position
    ON CONFLICT (tenant_no, run_no, key_no) DO UPDATE
    SET step = EXCLUDED.step, ts = EXCLUDED.ts, value = EXCLUDED.value
    WHERE (EXCLUDED.step, EXCLUDED.ts, comparable(EXCLUDED.value))
          > (l.step, l.ts, comparable(l.value));
END $$;
