"""The triggers that feed the outbox: no code path, cascade or hand-typed SQL can forget a vector.

All are statement-level with transition tables, so that 10,000 rows cost one statement more, not 10,000.
Three traps shaped them. Transition tables are not allowed together with a column list, hence the
comparisons. PL/pgSQL keeps a statement's plan for the session, so a join planned for one row must not be
able to become a nested loop over 100,000: FULL JOIN and EXCEPT cannot, and the rest is EXECUTEd. And a
data-only restore runs with an empty search path, hence `SET search_path FROM CURRENT`.
"""

from django.db import migrations

# The lease and `late_write_until` are left alone: the drainer that holds the point is still at work, and its
# write of the older content may still arrive.
COLUMNS = "(point_id, kind, operation, version, job_id, queued_at, attempts, last_error)"
REPLACE = """
    ON CONFLICT (point_id) DO UPDATE SET
        kind = EXCLUDED.kind, operation = EXCLUDED.operation, version = EXCLUDED.version,
        job_id = EXCLUDED.job_id, queued_at = EXCLUDED.queued_at,
        attempts = 0, not_before = NULL, last_error = ''
"""
STAMP = "nextval('extraction_vectorchange_version')"

# Rows that came or went: the trigger's arguments are the kind and the operation.
ROWS = f"""
CREATE FUNCTION extraction_queue_rows() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO extraction_vectorchange {COLUMNS}
    SELECT id, TG_ARGV[0], TG_ARGV[1], {STAMP}, job_id, clock_timestamp(), 0, ''
    FROM changed_rows ORDER BY id
    {REPLACE};
    RETURN NULL;
END $$;
"""  # noqa: S608  constants only

# Rows that changed in something their point is made of; a row whose id changed left one point for another.
UPDATED = """
CREATE FUNCTION extraction_queue_{name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO extraction_vectorchange {columns}
    SELECT COALESCE(n.id, o.id), '{name}', CASE WHEN n.id IS NULL THEN 'delete' ELSE 'upsert' END, {stamp},
           CASE WHEN n.id IS NULL THEN o.job_id ELSE n.job_id END, clock_timestamp(), 0, ''
    FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
    WHERE n.id IS NULL OR o.id IS NULL OR ({new}) IS DISTINCT FROM ({old})
    ORDER BY 1
    {replace};
    RETURN NULL;
END $$;
"""

# The payload of both kinds names the source's group and language; an extraction's text, its title.
SOURCES = f"""
CREATE FUNCTION extraction_queue_source() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT id, source_group, language, title FROM new_rows
               EXCEPT SELECT id, source_group, language, title FROM old_rows) THEN
        EXECUTE $statement$
            WITH changed AS MATERIALIZED (
                SELECT n.id, (n.source_group, n.language) IS DISTINCT FROM (o.source_group, o.language) AS labels
                FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
                WHERE (n.source_group, n.language, n.title)
                      IS DISTINCT FROM (o.source_group, o.language, o.title)
            )
            INSERT INTO extraction_vectorchange {COLUMNS}
            SELECT id, kind, 'upsert', {STAMP}, job_id, clock_timestamp(), 0, '' FROM (
                SELECT p.id, 'passage' AS kind, p.job_id
                FROM changed c JOIN extraction_passage p ON p.source_id = c.id WHERE c.labels
                UNION ALL
                SELECT e.id, 'extraction', e.job_id
                FROM changed c JOIN extraction_extraction e ON e.source_id = c.id
            ) AS children ORDER BY id
            {REPLACE}
        $statement$;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER extraction_queue_updated AFTER UPDATE ON crawling_source
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_source();
"""  # noqa: S608  constants only

# TRUNCATE shows no rows: only a comparison of both sides can tell what it took along.
TRUNCATED = """
CREATE FUNCTION extraction_queue_audit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO extraction_auditrequest (requested_at, reason)
    VALUES (clock_timestamp(), TG_TABLE_NAME || ' was truncated');
    RETURN NULL;
END $$;
CREATE TRIGGER extraction_queue_truncated AFTER TRUNCATE ON extraction_vectorchange
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_audit();
"""

TABLE = """
CREATE TRIGGER extraction_queue_inserted AFTER INSERT ON extraction_{name}
    REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_rows('{name}', 'upsert');
CREATE TRIGGER extraction_queue_deleted AFTER DELETE ON extraction_{name}
    REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_rows('{name}', 'delete');
CREATE TRIGGER extraction_queue_updated AFTER UPDATE ON extraction_{name}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_{name}();
CREATE TRIGGER extraction_queue_truncated AFTER TRUNCATE ON extraction_{name}
    FOR EACH STATEMENT EXECUTE FUNCTION extraction_queue_audit();
"""

WATCHED = {
    "passage": ("text", "context", "project_id", "source_id", "job_id"),
    "extraction": ("data", "ungrounded", "field_group", "project_id", "source_id", "job_id"),
}


def _updated(name):
    new, old = (", ".join(f"{row}.{column}" for column in WATCHED[name]) for row in "no")
    return UPDATED.format(name=name, columns=COLUMNS, stamp=STAMP, replace=REPLACE, new=new, old=old)


FORWARD = "".join(
    [
        "CREATE SEQUENCE extraction_vectorchange_version AS bigint;",
        ROWS,
        *(_updated(name) for name in WATCHED),
        SOURCES,
        TRUNCATED,
        *(TABLE.format(name=name) for name in WATCHED),
    ]
)

REVERSE = """
DROP FUNCTION extraction_queue_rows() CASCADE;
DROP FUNCTION extraction_queue_passage() CASCADE;
DROP FUNCTION extraction_queue_extraction() CASCADE;
DROP FUNCTION extraction_queue_source() CASCADE;
DROP FUNCTION extraction_queue_audit() CASCADE;
DROP SEQUENCE extraction_vectorchange_version;
"""


class Migration(migrations.Migration):
    dependencies = [("extraction", "0001_initial"), ("crawling", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
